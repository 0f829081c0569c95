/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_FACTS_H
#define AGENT_FACTS_H
/* What the agent says of its host (M-115), and who it is on it. */
#include <stdint.h>

#include "lib/base/cron.h"
#include "lib/base/rc.h"

struct facts {
	char hostname[256];
	char os[16];   /* linux */
	char arch[16]; /* amd64, arm64 */
	int64_t boot_time_ms;
	/* SHA-256 over machine id and the queue directory's real path. */
	uint8_t instance_id[32];
};

MUST_USE enum rc facts_read(struct facts *out, const char *queue_dir,
    struct err *e);
/* The IANA zone of this host's clock, as it is set now: TZ, /etc/localtime,
 * /etc/timezone; UTC when none of them names one that is known here. */
void facts_zone(char out[CRON_ZONE_CAP]);
#endif
