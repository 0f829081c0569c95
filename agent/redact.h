/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_REDACT_H
#define AGENT_REDACT_H
/*
 * Keeps secrets out of text that leaves the job: known secrets in any place
 * (plain, percent-encoded, and as Go quotes them), and user:password@ of
 * anything that looks like a URL.  Each becomes "***".
 */
#include "lib/base/str.h"

struct buf;
struct redact;

struct redact *redact_new(void);
void redact_free(struct redact *r); /* wipes */
/* Copies; texts shorter than 4 bytes are only caught within URLs, else half
 * of every line would be stars. */
void redact_secret(struct redact *r, struct str secret);
/* A secret of several lines, such as a key: each of them that is long enough
 * to be one by itself.  One line is a secret like any other. */
void redact_document(struct redact *r, struct str text);
/* The password of user:password@ in a URL, as it stands there. */
void redact_url(struct redact *r, struct str url);
/* Appends the text without its secrets; r may be NULL (URLs only). */
void redact_text(const struct redact *r, struct str text, struct buf *out);
#endif
