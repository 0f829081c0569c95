/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_TAGS_H
#define CONTROLLER_TAGS_H
/*
 * Tags of hosts: the rules, when a token is made and later, and how an
 * operator edits them.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"

struct Rec__Host;
struct json_strs;
struct req;
struct route_json;

enum {
	TAGS_MAX = 32,
	TAG_MAX_BYTES = 64
};

/* Letters, digits and . - _, none at the front but letters and digits; a tag
 * that stands there twice is dropped.  RC_INVALID names the first wrong one. */
MUST_USE enum rc tags_check(struct json_strs *tags, struct err *e);

/* A form's field of tags with commas or blanks between, not checked. */
MUST_USE enum rc tags_words(struct req *r, const char *field,
    struct json_strs *out, struct err *e);

/* Whether the host has these and no others, in this order. */
bool tags_are(const struct Rec__Host *h, char *const *v, size_t n);

/* PUT /api/hosts/{id}/tags {tags}: 200 {tags}.  All of them are replaced. */
void tags_put(struct req *r);
extern const struct route_json tags_put_body;
/* POST /hosts/{id}/tags: field tags, separated by commas or blanks. */
void tags_form(struct req *r);
#endif
