/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_retry.h"

#include "lib/store/host_store.h"
#include "lib/store/message.h"
#include "lib/store/schedule_store.h"
#include "lib/store/status.h"
#include "lib/store/table.h"

static bool
is_wanted_by(struct store_tx *tx, const struct Rec__Job *j,
    const ProtobufCBinaryData *schedule)
{
	const struct Rec__Schedule *s;
	struct ulid host, id;
	size_t i;

	if (!key_id_field(&j->host_id, &host) || !key_id_field(schedule, &id))
		return false;
	s = schedule_store_find(tx, &host, &id);
	for (i = 0; s != NULL && s->enabled && i < s->n_group_ids; i++)
		if (message_same_id(&s->group_ids[i], &j->group_id))
			return true;
	return false;
}

static bool
is_wanted(struct store_tx *tx, const struct Rec__Job *j)
{
	size_t i;

	if (is_wanted_by(tx, j, &j->schedule_id))
		return true;
	for (i = 0; i < j->n_also; i++)
		if (is_wanted_by(tx, j, &j->also[i]->schedule_id))
			return true;
	return false;
}

int64_t
job_retry_at(struct store_tx *tx, const struct Rec__Job *j, int64_t now_ms)
{
	const struct Rec__Host *h;
	struct ulid host;

	if (j->retry_at_ms <= now_ms)
		return j->retry_at_ms;
	if (is_wanted(tx, j) || !key_id_field(&j->host_id, &host))
		return j->retry_at_ms;
	h = host_store_find(tx, &host);
	return h != NULL && status_drift(h)[0] != '\0' ? j->retry_at_ms : 0;
}
