/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_JSON_H
#define LIB_BASE_JSON_H
/*
 * JSON bodies by table (jansson parses), and a writer into a buf.
 *
 * A reader table maps members to fields of a C struct.  Strings and arrays
 * live in the arena.  Unknown members are ignored; duplicates, wrong types,
 * NUL in strings and depth over 32 are refused with a message that names
 * the member (or the place, when the text itself is malformed; err.field is
 * the member then, too) and never quotes a value.  Malformed text, duplicates and depth are RC_PROTO, a bad
 * value RC_INVALID, no room in the arena RC_LIMIT.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct arena;
struct buf;
struct ulid;

enum json_type {
	JSON_STR,  /* char *; min and max in bytes */
	JSON_INT,  /* int64_t; min and max are values */
	JSON_BOOL, /* bool */
	JSON_STRS, /* struct json_strs; max elements, each max_each bytes */
	/* struct json_pairs: an object of texts, a null among them is NULL;
	 * max members, each value max_each bytes */
	JSON_PAIRS,
	JSON_OBJ /* nothing of its own: "a.b" names a member of it */
};

struct json_strs {
	char **v; /* NULL-terminated too */
	size_t n;
};

struct json_pair {
	char *name, *value;
};

struct json_pairs {
	struct json_pair *v;
	size_t n;
};

/* NULL_OK: null empties the field (NULL, 0, false, no elements) and counts
 * as there.  NULL_ABSENT: it counts as not there. */
enum {
	JSON_REQUIRED = 1,
	JSON_NULL_OK = 2,
	JSON_NULL_ABSENT = 4
};

struct json_field {
	const char *name;
	enum json_type type;
	unsigned flags;
	int64_t min, max;
	size_t offset;   /* in the out struct */
	size_t max_each; /* JSON_STRS and JSON_PAIRS only */
	/* Offset of a bool set to true when the member was there, or
	 * JSON_NO_SEEN. */
	size_t seen;
};
#define JSON_NO_SEEN ((size_t)-1)

/* out is written only for members that are there: preset the defaults. */
MUST_USE enum rc json_read(struct str text, const struct json_field *fields,
    size_t n, void *out, struct arena *a, struct err *e);

/* A parsed document for outside formats that tables do not fit (restic's
 * lines).  Borrowed values die with the document. */
struct json;
MUST_USE enum rc json_parse(struct str text, struct json **out, struct err *e);
void json_free(struct json *doc);
/* Member of an object, element of an array, NULL when absent or of another
 * type.  They are views into doc. */
const struct json *json_get(const struct json *v, const char *name);
size_t json_len(const struct json *v);
const struct json *json_at(const struct json *v, size_t i);
/* Absent or another type gives the default ("" for texts).  A number past
 * int64 makes the numbers of its document doubles: json_int then gives those
 * that are whole and at most 2^53. */
struct str json_text(const struct json *v, const char *name);
int64_t json_int(const struct json *v, const char *name, int64_t dflt);
double json_num(const struct json *v, const char *name, double dflt);
bool json_flag(const struct json *v, const char *name, bool dflt);
bool json_is_object(const struct json *v);
bool json_is_array(const struct json *v);
/* The value itself as text when it is a string. */
struct str json_self_text(const struct json *v);

/* Writer.  Commas and escaping are its business; malformed UTF-8 becomes
 * U+FFFD, NaN and infinity become null; failures stick to the buf.  name is
 * NULL inside arrays and at the top. */
struct json_out {
	struct buf *b;
	bool comma;
};
void json_out_init(struct json_out *j, struct buf *b);
void json_obj(struct json_out *j, const char *name);
void json_obj_end(struct json_out *j);
void json_arr(struct json_out *j, const char *name);
void json_arr_end(struct json_out *j);
void json_put_str(struct json_out *j, const char *name, struct str s);
void json_put(struct json_out *j, const char *name, const char *z);
/* Text that is JSON already, by json_parse(). */
void json_put_raw(struct json_out *j, const char *name, struct str s);
void json_put_int(struct json_out *j, const char *name, int64_t v);
void json_put_uint(struct json_out *j, const char *name, uint64_t v);
void json_put_num(struct json_out *j, const char *name, double v);
void json_put_bool(struct json_out *j, const char *name, bool v);
void json_put_null(struct json_out *j, const char *name);
/* A parsed value as it is; NULL is null. */
void json_put_json(struct json_out *j, const char *name, const struct json *v);
/* An array of texts. */
void json_put_strs(struct json_out *j, const char *name, char *const *v,
    size_t n);
/* Null when it is zero. */
void json_put_ulid(struct json_out *j, const char *name, const struct ulid *id);
/* RFC 3339, or null when ms is 0. */
void json_put_time(struct json_out *j, const char *name, int64_t ms);
#endif
