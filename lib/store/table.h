/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_TABLE_H
#define LIB_STORE_TABLE_H
/*
 * The tables of all environments, their keys, and records in them.  Every
 * function works on the transaction's sticky error: after a failure reads
 * find nothing and writes do nothing.
 *
 * Integers in keys are big-endian, so that memcmp order is their order.
 * An index is a table of its own whose value is empty or an id.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct MDB_cursor;
struct arena;
struct store_tx;

enum {
	IN_STATE = 1,
	IN_VAULT = 2,
	IN_LIVE = 4,
	IN_ALL = IN_STATE | IN_VAULT | IN_LIVE
};

/* clang-format off */
/*	table             where     name             key -> value */
#define TABLE_LIST(X) \
	X(TB_META,          IN_ALL,   "meta",          "'meta' -> Meta, 'logs' -> job") \
	X(TB_VERSION,       IN_STATE, "version",       "domain u8, [host] -> u64") \
	X(TB_HOST,          IN_STATE, "host",          "host -> Host") \
	X(TB_HOST_NAME,     IN_STATE, "host_name",     "lower(name), 0, host -> ") \
	X(TB_HOST_GONE,     IN_STATE, "host_gone",     "host -> HostGone") \
	X(TB_CURSOR,        IN_STATE, "agent_cursor",  "host -> AgentCursor") \
	X(TB_JOB,           IN_STATE, "job",           "job -> Job") \
	X(TB_JOB_HOST,      IN_STATE, "job_host",      "host, job -> look u8, kind u8") \
	X(TB_JOB_STATE,     IN_STATE, "job_state",     "state u8, job -> ") \
	X(TB_JOB_LOOK,      IN_STATE, "job_look",      "look u8, kind u8, job -> host") \
	X(TB_JOB_OUT,       IN_STATE, "job_out",       "host, job -> kind u8") \
	X(TB_JOB_LOG,       IN_STATE, "job_open_log",  "job -> ") \
	X(TB_JOB_LOG_LEFT,  IN_STATE, "job_log_left",  "job -> ") \
	X(TB_GROUP,         IN_STATE, "group",         "host, group -> SourceGroup") \
	X(TB_DAY,           IN_STATE, "day",           "host, day u32, group -> DayOutcome") \
	X(TB_SCHEDULE,      IN_STATE, "schedule",      "host, schedule -> Schedule") \
	X(TB_UPKEEP,        IN_STATE, "maintenance",   "host -> Maintenance") \
	X(TB_UPKEEP_DUE,    IN_STATE, "maintenance_due", "due u64, host, kind u8 -> ") \
	X(TB_REPO,          IN_STATE, "repo",          "repository id[32] -> Repo") \
	X(TB_REPO_HOST,     IN_STATE, "repo_host",     "repository id[32], host -> name") \
	X(TB_REPO_DAY,      IN_STATE, "repo_day",      "host, day u32 -> RepoDay") \
	X(TB_SNAP,          IN_STATE, "snapshot",      "host, ~time u64, id[16] -> Snapshot") \
	X(TB_SNAP_STAGE,    IN_STATE, "snapshot_part", "host, ~time u64, id[16] -> Snapshot") \
	X(TB_SNAP_COUNT,    IN_STATE, "snapshot_count", "host, staged u8 -> u64") \
	X(TB_SNAP_ID,       IN_STATE, "snapshot_id",   "id[16], host -> ~time u64") \
	X(TB_SNAP_PATHS,    IN_STATE, "snapshot_paths", "host -> path, 0, ...") \
	X(TB_USER,          IN_STATE, "user",          "user -> User") \
	X(TB_USER_NAME,     IN_STATE, "user_name",     "lower(name) -> user") \
	X(TB_API_TOKEN,     IN_STATE, "api_token",     "token -> ApiToken") \
	X(TB_API_TOKEN_USER, IN_STATE, "api_token_user", "user, token -> ") \
	X(TB_AUDIT,         IN_STATE, "audit",         "entry -> AuditEntry") \
	X(TB_DURATIONS,     IN_STATE, "durations",     "kind u8, state u8 -> Durations") \
	X(TB_AUDIT_HEAD,    IN_STATE, "audit_head",    "'head' -> AuditHead") \
	X(TB_ENROLMENT,     IN_STATE, "enrolment",     "secret hash[32] -> Enrolment") \
	X(TB_PENDING,       IN_STATE, "pending",       "pending -> PendingHost") \
	X(TB_PENDING_KEY,   IN_STATE, "pending_key",   "public key[32] -> pending") \
	X(TB_PENDING_HOST,  IN_STATE, "pending_host",  "host -> pending") \
	X(TB_PASSWORD,      IN_VAULT, "password",      "user -> Password") \
	X(TB_SESSION,       IN_VAULT, "session",       "cookie hash[32] -> Session") \
	X(TB_SESSION_USER,  IN_VAULT, "session_user",  "user, created u64, hash[32] -> ") \
	X(TB_TOKEN,         IN_VAULT, "token",         "secret hash[32] -> EnrolToken") \
	X(TB_EXPIRY,        IN_VAULT, "expiry",        "due u64, kind u8, hash[32] -> ") \
	X(TB_HOST_SECRETS,  IN_VAULT, "host_secrets",  "host -> HostSecrets") \
	X(TB_BEARER,        IN_VAULT, "bearer",        "bearer hash[32] -> host") \
	X(TB_HOOKS,         IN_VAULT, "hooks",         "host, group or 0 -> Hooks") \
	X(TB_TICKET,        IN_VAULT, "ticket",        "kind u8, secret hash[32] -> owner") \
	X(TB_TICKET_OWNER,  IN_VAULT, "ticket_owner",  "kind u8, owner -> secret hash[32]") \
	X(TB_PRESENCE,      IN_LIVE,  "presence",      "host -> Presence") \
	X(TB_PROGRESS,      IN_LIVE,  "progress",      "job -> LiveProgress")
/* clang-format on */

enum table {
#define X(id, where, name, keys) id,
	TABLE_LIST(X)
#undef X
};
enum {
	TABLE_COUNT = TB_PROGRESS + 1
};

struct table_info {
	unsigned where;
	const char *name;
	const char *keys; /* the layout in words */
};
const struct table_info *table_info(enum table t);

enum {
	TABLE_KEY_MAX = 256,          /* LMDB itself takes 511 */
	TABLE_NAME_MAX = 200,         /* longer names are hashed in keys */
	TABLE_VALUE_MAX = 4 * 1048576 /* one record */
};

/* A key being put together. */
struct key {
	uint8_t b[TABLE_KEY_MAX];
	size_t n;
};
void key_bytes(struct key *k, const void *p, size_t n);
void key_ulid(struct key *k, const struct ulid *id);
void key_u8(struct key *k, uint8_t v);
void key_u32(struct key *k, uint32_t v);
void key_u64(struct key *k, uint64_t v);
/* ASCII in lower case; a long name by its start and its hash. */
void key_name(struct key *k, struct str name);
struct str key_str(const struct key *k);
/* A whole key: one id, or its owner's before it. */
void key_of_id(struct key *k, const struct ulid *id);
void key_of_ids(struct key *k, const struct ulid *owner, const struct ulid *id);
/* An id field of a record; false unless it has 16 bytes. */
bool key_id_field(const ProtobufCBinaryData *field, struct ulid *out);

/* The id at an offset of a stored key; a key too short for it is
 * RC_CORRUPT.  TAIL: the last 16 bytes. */
enum {
	KEY_TAIL = -1
};
bool key_id_at(struct store_tx *tx, enum table t, struct str key, int at,
    struct ulid *out);

/* Lends the value until the next change; false: absent or failed. */
bool table_peek(struct store_tx *tx, enum table t, const struct key *k,
    struct str *out);
bool table_has(struct store_tx *tx, enum table t, const struct key *k);
/* True when something changed; an identical value is not written. */
bool table_put(struct store_tx *tx, enum table t, const struct key *k,
    struct str value);
/* True when there was something to delete. */
bool table_del(struct store_tx *tx, enum table t, const struct key *k);
uint64_t table_count(struct store_tx *tx, enum table t);
void table_clear(struct store_tx *tx, enum table t);
uint64_t table_u64(struct store_tx *tx, enum table t, const struct key *k);
void table_put_u64(struct store_tx *tx, enum table t, const struct key *k,
    uint64_t v);

/* Unpacked into the transaction's arena; NULL: absent or failed. */
void *table_find(struct store_tx *tx, enum table t, const struct key *k,
    const ProtobufCMessageDescriptor *d);
/* Absence is RC_NOTFOUND: "there is no <what> with this id". */
void *table_get(struct store_tx *tx, enum table t, const struct key *k,
    const ProtobufCMessageDescriptor *d, const char *what);
/* A stored value as a record; damage is RC_CORRUPT. */
void *table_unpack(struct store_tx *tx, enum table t, struct str value,
    const ProtobufCMessageDescriptor *d);
bool table_put_record(struct store_tx *tx, enum table t, const struct key *k,
    const ProtobufCMessage *m);

/*
 * A walk over the keys that start with a prefix.  The transaction may be
 * changed between two steps: the walk goes on behind the last key given.
 *
 *   table_scan_init(&sc, tx, TB_JOB_HOST, &prefix, SCAN_DOWN);
 *   while (table_scan_next(&sc, &key, &value)) ...
 *   table_scan_fini(&sc);
 */
enum scan_dir {
	SCAN_UP,
	SCAN_DOWN
};
struct table_scan {
	struct store_tx *tx;
	struct MDB_cursor *cursor;
	enum table table;
	enum scan_dir dir;
	size_t prefix_len;
	bool from_set; /* at: the last key given, or where to begin */
	struct key at;
	struct key prefix;
};
void table_scan_init(struct table_scan *sc, struct store_tx *tx, enum table t,
    const struct key *prefix, enum scan_dir dir);
/* Begin strictly behind this key, in the walk's direction. */
void table_scan_behind(struct table_scan *sc, const struct key *k);
bool table_scan_next(struct table_scan *sc, struct str *key, struct str *value);
/* The next value as a record; NULL: there is none, or a failure. */
void *table_scan_record(struct table_scan *sc,
    const ProtobufCMessageDescriptor *d);
void table_scan_fini(struct table_scan *sc);
/* How many keys start with the prefix, by a walk over them. */
uint64_t table_count_below(struct store_tx *tx, enum table t,
    const struct key *prefix);
#endif
