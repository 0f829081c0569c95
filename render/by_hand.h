/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_BY_HAND_H
#define RENDER_BY_HAND_H
/*
 * The restic command behind a job, for an administrator's own shell: what
 * the agent ran (agent/restic.c), without what only the agent needs.  Secrets
 * are named as environment variables and never shown.
 */
#include <stdbool.h>

#include "lib/base/str.h"

struct arena;
struct buf;
struct Rec__Host;
struct Rec__Job;

/* One word for sh (windows false) or PowerShell, quoted where it has to be,
 * so that it is read as the same bytes.  Control characters, bytes that are
 * no UTF-8 and signs that turn the direction of text are escaped in sh, where
 * that can be done ($'...'). */
void by_hand_quote(struct buf *out, struct str word, bool windows);

/* The command; "" for kinds that have none, and for a job that is longer than
 * a page should show. */
const char *by_hand(struct arena *a, const struct Rec__Job *j,
    const struct Rec__Host *h);
/* "RESTIC_REPOSITORY, RESTIC_PASSWORD": what must be set first. */
const char *by_hand_needs(const struct Rec__Host *h);
#endif
