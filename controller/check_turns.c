/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/check_turns.h"

#include "controller/upkeep_rules.h"
#include "lib/base/arena.h"
#include "proto/store.pb-c.h"

static struct Rec__CheckTurn *
find(const struct check_turns *t, uint32_t of)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->v[i]->of == of)
			return t->v[i];
	return NULL;
}

static const struct Rec__CheckTurn *
find_damaged(const struct check_turns *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->v[i]->damaged)
			return t->v[i];
	return NULL;
}

void
check_turns_next(const struct check_turns *t, uint32_t pct, bool own,
    uint32_t *n, uint32_t *of)
{
	const struct Rec__CheckTurn *turn = own ? find_damaged(t) : NULL;

	upkeep_part(pct, t->before, n, of);
	if (*of == 0)
		return;
	if (turn == NULL)
		turn = find(t, *of);
	if (turn == NULL || turn->of == 0)
		return;
	*of = turn->of;
	*n = turn->damaged ? turn->part : turn->part % turn->of + 1;
}

static struct Rec__CheckTurn *
add(struct check_turns *t, struct arena *a, uint32_t of)
{
	struct Rec__CheckTurn **v = arena_array(a, t->n + 1, sizeof(*v));
	struct Rec__CheckTurn *turn = arena_alloc(a, sizeof(*turn));
	size_t i;

	if (v == NULL || turn == NULL)
		return NULL;
	for (i = 0; i < t->n; i++)
		v[i] = t->v[i];
	rec__check_turn__init(turn);
	turn->of = of;
	v[t->n++] = turn;
	t->v = v;
	return turn;
}

bool
check_turns_note(struct check_turns *t, struct arena *a,
    const struct Rec__Job *j)
{
	bool whole = j->state == REC__JOB_STATE__JOB_SUCCEEDED;
	struct Rec__CheckTurn *turn;
	size_t i;

	if (j->kind != REC__JOB_KIND__KIND_CHECK || j->check_of == 0 ||
	    (!whole && j->check == NULL))
		return true;
	turn = find(t, j->check_of);
	if (turn == NULL && (turn = add(t, a, j->check_of)) == NULL)
		return false;
	turn->part = t->before = j->check_part;
	turn->damaged = !whole;
	/* All of the data: whatever was damaged is whole. */
	for (i = 0; whole && j->check_of == 1 && i < t->n; i++)
		t->v[i]->damaged = false;
	return true;
}
