/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_CAUSE_H
#define RENDER_CAUSE_H
/*
 * Why a job ended as it did, in words, and what to do.  The names come from
 * the agent (JobFinished.cause) and, for jobs it never ran, the controller.
 */
struct arena;
struct Rec__Job;

/* A few words: of the cause when it is known here, else the error's first
 * line, else "The job failed".  "" for a job without a cause and error that
 * did not fail. */
const char *cause_words(const struct Rec__Job *j, struct arena *a);
/* What to do, a sentence; "" when there is nothing better than the log. */
const char *cause_advice(const struct Rec__Job *j);
#endif
