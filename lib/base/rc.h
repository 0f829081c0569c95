/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_RC_H
#define LIB_BASE_RC_H
/*
 * The closed set of results.  One row decides what a failure is called in
 * JSON, which HTTP and gRPC status and which exit code it becomes.
 * errno, uv, MDB and nghttp2 codes are translated where they arise.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/attr.h"

/* clang-format off */
/*	name          JSON code        HTTP gRPC exit retry  sentence */
#define RC_TABLE(X) \
	X(RC_OK,        "ok",             200,  0,  0, false, "no error") \
	X(RC_INVALID,   "invalid",        422,  3,  2, false, "the value is not allowed") \
	X(RC_PROTO,     "malformed",      400,  3,  2, false, "the input is malformed") \
	X(RC_AUTH,      "unauthorised",   401, 16,  4, false, "not signed in, or the credential is unknown") \
	X(RC_DENIED,    "forbidden",      403,  7,  4, false, "not allowed for this role") \
	X(RC_NOTFOUND,  "not_found",      404,  5,  5, false, "there is no such thing") \
	X(RC_CONFLICT,  "conflict",       409,  6,  6, false, "it conflicts with what is there") \
	X(RC_GONE,      "gone",           410,  9,  6, false, "it was used or has expired") \
	X(RC_LIMIT,     "too_large",      413,  8,  7, false, "a size limit was reached") \
	X(RC_RATE,      "rate_limited",   429,  8,  7, true,  "too many attempts, wait and try again") \
	X(RC_BUSY,      "busy",           503, 14,  8, true,  "busy, try again") \
	X(RC_OFFLINE,   "host_offline",   503, 14,  8, true,  "the host is not connected") \
	X(RC_TIMEOUT,   "timeout",        504,  4,  8, true,  "it took too long") \
	X(RC_CANCELLED, "cancelled",      499,  1,  9, false, "it was cancelled") \
	X(RC_CORRUPT,   "corrupt",        500, 15, 10, false, "stored data is damaged") \
	X(RC_VERSION,   "version",        400,  9, 11, false, "the version is not supported") \
	X(RC_FULL,      "disk_full",      507,  8, 12, true,  "no space left") \
	X(RC_IO,        "io_error",       500, 13, 12, true,  "an input or output operation failed")
/* clang-format on */

enum rc {
#define X(name, json, http, grpc, ex, retry, text) name,
	RC_TABLE(X)
#undef X
};

enum {
	RC_COUNT = 18
};

struct rc_info {
	const char *name;      /* "RC_INVALID" */
	const char *json_code; /* "invalid" */
	int http_status;
	int grpc_status;
	int exit_code;
	bool retryable;
	const char *text;
};

/* Static, never NULL. */
const struct rc_info *rc_info(enum rc rc);

/* The reverse, for clients: unknown gRPC codes give RC_IO. */
enum rc rc_from_grpc(int grpc_status);

/*
 * A failure told to a person: what happened, to what, and what to do.
 * code: NULL, or a static name that replaces rc_info()->json_code on the
 * wire, such as "admin_creds_required".  field: NULL, or the static name of
 * the member or form field that is wrong.  msg never holds a secret.
 */
struct err {
	enum rc rc;
	const char *code;
	const char *field;
	char msg[240];
};

/* Sets e (may be NULL) and returns rc.  Longer messages are cut. */
enum rc err_set(struct err *e, enum rc rc, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same with a code of its own. */
enum rc err_code(struct err *e, enum rc rc, const char *code, const char *fmt,
    ...) PRINTF_LIKE(4, 5);
/* RC_INVALID, about that field. */
enum rc err_field(struct err *e, const char *field, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Puts "prefix: " before the message; returns e->rc. */
enum rc err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* From errno: ENOENT RC_NOTFOUND, EACCES and EPERM RC_DENIED, ENOSPC and
 * EDQUOT RC_FULL, EEXIST RC_CONFLICT, others RC_IO; the message ends with
 * the system's text. */
enum rc err_errno(struct err *e, int errnum, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
#endif
