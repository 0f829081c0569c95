/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CHECK_TURNS_H
#define CONTROLLER_CHECK_TURNS_H
/*
 * Which part of a repository's data a check reads, so that all of it is read
 * over time.  restic takes part n of `of` by the names of packs: parts of one
 * measure say nothing of another's, and each measure has turns of its own.  A
 * part that was found damaged stays at its turn until it is whole: nothing is
 * green because something else was looked at.  Values in, values out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct Rec__CheckTurn;
struct Rec__Job;

struct check_turns {
	struct Rec__CheckTurn **v; /* at most one a measure */
	size_t n;
	uint32_t before; /* the part read last, in records without turns */
};

/* Part *n of *of for pct % of the data; 0 of 0 when pct is 0.  own: nobody
 * asked for this measure, so what is damaged goes first. */
void check_turns_next(const struct check_turns *t, uint32_t pct, bool own,
    uint32_t *n, uint32_t *of);
/* A check that ended; one that was not run to its end changes nothing.
 * False: there is no room. */
bool check_turns_note(struct check_turns *t, struct arena *a,
    const struct Rec__Job *j);
#endif
