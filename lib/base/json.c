/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/json.h"

#include <jansson.h>
#include <pthread.h>
#include <string.h>

/* jansson has macros of these names, ours are functions */
#undef json_is_object
#undef json_is_array

#include "lib/base/arena.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"

enum {
	JSON_DEPTH_MAX = 32
};

/* 2^53: up to here every whole number is exact as a double. */
static const double exact_max = 9007199254740992.0;

/* A view is jansson's node under our name; it never has another type. */
static const json_t *
node(const struct json *v)
{
	return (const json_t *)(const void *)v;
}

static const struct json *
view(const json_t *t)
{
	return (const struct json *)(const void *)t;
}

/* jansson's own limit is 2048 levels of recursion; ours is checked on the
 * text before it is parsed. */
static bool
depth_ok(struct str text)
{
	bool quoted = false;
	int depth = 0;
	size_t i;

	for (i = 0; i < text.n; i++) {
		const char c = text.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return true;
}

/* The member named in jansson's "... near '"name"'", never a value. */
static enum rc
duplicate(const json_error_t *je, struct err *e)
{
	const char *from = strstr(je->text, "near '\"");
	struct str name = STR("?");

	if (from != NULL) {
		name = str_of(from + strlen("near '\""));
		if (str_ends(name, STR("\"'")))
			name.n -= 2;
	}
	return err_set(e, RC_PROTO, "the member \"%s\" is there twice",
	    log_safe(name));
}

/* jansson's text quotes the input, which may be a password: we tell only
 * the kind and the place. */
static enum rc
parse_failed(const json_error_t *je, struct err *e)
{
	const char *what = "is not well-formed JSON";
	enum rc rc = RC_PROTO;

	switch (json_error_code(je)) {
	case json_error_duplicate_key:
		return duplicate(je, e);
	case json_error_out_of_memory:
		return err_set(e, RC_LIMIT, "not enough memory for the JSON");
	case json_error_invalid_utf8:
		what = "is not well-formed UTF-8";
		break;
	case json_error_null_character:
	case json_error_null_byte_in_key:
		what = "has a NUL character, which is not allowed";
		break;
	case json_error_numeric_overflow:
		what = "has a number that is out of range";
		rc = RC_INVALID;
		break;
	case json_error_premature_end_of_input:
		what = "ends too early";
		break;
	case json_error_end_of_input_expected:
		what = "goes on after its end";
		break;
	default: /* the rest of jansson's codes are plain syntax */
		break;
	}
	return err_set(e, rc, "the JSON %s (line %d, column %d)", what,
	    je->line, je->column);
}

/* Left alone, jansson opens /dev/urandom for its hash key, which a sandbox
 * may refuse; it then takes the time of day. */
static void
seed(void)
{
	uint32_t key;

	crypt_random(&key, sizeof(key));
	json_object_seed(key | 1); /* 0 would mean: find one yourself */
}

static json_t *
load(struct str text, size_t flags, json_error_t *je)
{
	static pthread_once_t seeded = PTHREAD_ONCE_INIT;

	ASSERT(pthread_once(&seeded, seed) == 0);
	return json_loadb(text.p != NULL ? text.p : "", text.n,
	    flags | JSON_REJECT_DUPLICATES, je);
}

static enum rc
too_deep(struct err *e)
{
	return err_set(e, RC_PROTO, "the JSON is nested deeper than %d levels",
	    (int)JSON_DEPTH_MAX);
}

/* Reading by table. */

struct reader {
	const struct json_field *f; /* the member being read */
	void *out;
	struct arena *a;
	struct err *e;
};

static void *
field_at(const struct reader *r, size_t offset)
{
	return (char *)r->out + offset;
}

static enum rc
wrong_type(const struct reader *r)
{
	static const char *const wanted[] = {
		[JSON_STR] = "a text",
		[JSON_INT] = "a whole number",
		[JSON_BOOL] = "true or false",
		[JSON_STRS] = "a list of texts",
		[JSON_PAIRS] = "an object of texts",
		[JSON_OBJ] = "an object",
	};

	return err_set(r->e, RC_INVALID, "%s: must be %s", r->f->name,
	    wanted[r->f->type]);
}

static enum rc
arena_full(const struct reader *r)
{
	return err_set(r->e, RC_LIMIT, "%s: too large", r->f->name);
}

static enum rc
read_str(const struct reader *r, const json_t *v)
{
	const struct json_field *f = r->f;
	char **out = field_at(r, f->offset);
	size_t n;
	char *p;

	if (!json_is_string(v))
		return wrong_type(r);
	n = json_string_length(v);
	if (f->min > 0 && n == 0)
		return err_set(r->e, RC_INVALID, "%s: must not be empty",
		    f->name);
	if ((int64_t)n < f->min)
		return err_set(r->e, RC_INVALID,
		    "%s: must be at least %lld bytes long", f->name,
		    (long long)f->min);
	if ((int64_t)n > f->max)
		return err_set(r->e, RC_INVALID,
		    "%s: must be at most %lld bytes long", f->name,
		    (long long)f->max);
	p = arena_str(r->a, str_from(json_string_value(v), n));
	if (arena_rc(r->a) != RC_OK)
		return arena_full(r);
	*out = p;
	return RC_OK;
}

static enum rc
read_int(const struct reader *r, const json_t *v)
{
	int64_t *out = field_at(r, r->f->offset);
	int64_t i;

	if (!json_is_integer(v))
		return wrong_type(r);
	i = json_integer_value(v);
	if (i < r->f->min || i > r->f->max)
		return err_set(r->e, RC_INVALID,
		    "%s: must be between %lld and %lld", r->f->name,
		    (long long)r->f->min, (long long)r->f->max);
	*out = i;
	return RC_OK;
}

static enum rc
read_bool(const struct reader *r, const json_t *v)
{
	bool *out = field_at(r, r->f->offset);

	if (!json_is_boolean(v))
		return wrong_type(r);
	*out = json_is_true(v);
	return RC_OK;
}

static enum rc
read_strs(const struct reader *r, const json_t *v)
{
	const struct json_field *f = r->f;
	struct json_strs *out = field_at(r, f->offset);
	struct json_strs l = { NULL, json_array_size(v) };
	const json_t *el;
	size_t i;

	if (json_typeof(v) != JSON_ARRAY)
		return wrong_type(r);
	if ((int64_t)l.n < f->min || (int64_t)l.n > f->max)
		return err_set(r->e, RC_INVALID,
		    "%s: must have %lld to %lld elements, has %zu", f->name,
		    (long long)f->min, (long long)f->max, l.n);
	l.v = arena_array(r->a, l.n + 1, sizeof(*l.v));
	if (l.v == NULL)
		return arena_full(r);
	for (i = 0; i < l.n; i++) {
		el = json_array_get(v, i);
		if (!json_is_string(el))
			return wrong_type(r);
		if (json_string_length(el) > f->max_each)
			return err_set(r->e, RC_INVALID,
			    "%s: element %zu is longer than %zu bytes", f->name,
			    i + 1, f->max_each);
		l.v[i] = arena_str(r->a,
		    str_from(json_string_value(el), json_string_length(el)));
	}
	if (arena_rc(r->a) != RC_OK)
		return arena_full(r);
	*out = l;
	return RC_OK;
}

static enum rc
read_pair(const struct reader *r, const char *name, const json_t *v,
    struct json_pair *out)
{
	if (!json_is_string(v) && !json_is_null(v))
		return wrong_type(r);
	if (json_string_length(v) > r->f->max_each)
		return err_set(r->e, RC_INVALID,
		    "%s: a value is longer than %zu bytes", r->f->name,
		    r->f->max_each);
	out->name = arena_dup(r->a, name);
	if (json_is_string(v))
		out->value = arena_str(r->a,
		    str_from(json_string_value(v), json_string_length(v)));
	return RC_OK;
}

static enum rc
read_pairs(const struct reader *r, const json_t *v)
{
	const struct json_field *f = r->f;
	struct json_pairs *out = field_at(r, f->offset);
	struct json_pairs l = { NULL, json_object_size(v) };
	const char *name;
	json_t *el;
	size_t i = 0;
	enum rc rc;

	if (json_typeof(v) != JSON_OBJECT)
		return wrong_type(r);
	if ((int64_t)l.n < f->min || (int64_t)l.n > f->max)
		return err_set(r->e, RC_INVALID,
		    "%s: must have %lld to %lld members, has %zu", f->name,
		    (long long)f->min, (long long)f->max, l.n);
	l.v = arena_array(r->a, l.n + 1, sizeof(*l.v));
	if (l.v == NULL)
		return arena_full(r);
	json_object_foreach((json_t *)(uintptr_t)v, name, el)
	{
		rc = read_pair(r, name, el, &l.v[i++]);
		if (rc != RC_OK)
			return rc;
	}
	if (arena_rc(r->a) != RC_OK)
		return arena_full(r);
	*out = l;
	return RC_OK;
}

/* null empties the field. */
static void
read_null(const struct reader *r)
{
	void *at = field_at(r, r->f->offset);

	switch (r->f->type) {
	case JSON_STR:
		*(char **)at = NULL;
		break;
	case JSON_INT:
		*(int64_t *)at = 0;
		break;
	case JSON_BOOL:
		*(bool *)at = false;
		break;
	case JSON_STRS:
		*(struct json_strs *)at = (struct json_strs){ NULL, 0 };
		break;
	case JSON_PAIRS:
		*(struct json_pairs *)at = (struct json_pairs){ NULL, 0 };
		break;
	case JSON_OBJ:
		break;
	}
}

static enum rc
read_value(const struct reader *r, const json_t *v)
{
	if (json_is_null(v) && (r->f->flags & JSON_NULL_OK)) {
		read_null(r);
		return RC_OK;
	}
	switch (r->f->type) {
	case JSON_STR:
		return read_str(r, v);
	case JSON_INT:
		return read_int(r, v);
	case JSON_BOOL:
		return read_bool(r, v);
	case JSON_STRS:
		return read_strs(r, v);
	case JSON_PAIRS:
		return read_pairs(r, v);
	case JSON_OBJ:
		return json_typeof(v) == JSON_OBJECT ? RC_OK : wrong_type(r);
	}
	return RC_INVALID; /* no such type */
}

/* "a.b" is in the object a; what is not there is not in it. */
static const json_t *
find_member(const json_t *root, const char *name)
{
	const char *dot;
	char outer[64];

	while ((dot = strchr(name, '.')) != NULL) {
		ASSERT(str_copy(outer, sizeof(outer),
		    str_from(name, (size_t)(dot - name))));
		root = json_object_get(root, outer);
		name = dot + 1;
	}
	return json_object_get(root, name);
}

static enum rc
read_member(const struct reader *r, const json_t *root)
{
	const struct json_field *f = r->f;
	const json_t *v = find_member(root, f->name);
	enum rc rc;

	if (v == NULL || (json_is_null(v) && (f->flags & JSON_NULL_ABSENT))) {
		if (f->flags & JSON_REQUIRED)
			return err_set(r->e, RC_INVALID, "%s: is missing",
			    f->name);
		return RC_OK;
	}
	rc = read_value(r, v);
	if (rc == RC_OK && f->seen != JSON_NO_SEEN)
		*(bool *)field_at(r, f->seen) = true;
	return rc;
}

enum rc
json_read(struct str text, const struct json_field *fields, size_t n, void *out,
    struct arena *a, struct err *e)
{
	struct reader r = { NULL, out, a, e };
	json_error_t je;
	json_t *root;
	enum rc rc = RC_OK;
	size_t i;

	if (!depth_ok(text))
		return too_deep(e);
	root = load(text, JSON_DECODE_ANY, &je);
	if (root == NULL)
		return parse_failed(&je, e);
	if (json_typeof(root) != JSON_OBJECT)
		rc = err_set(e, RC_INVALID, "the JSON must be an object");
	for (i = 0; i < n && rc == RC_OK; i++) {
		r.f = &fields[i];
		rc = read_member(&r, root);
		if (rc != RC_OK && e != NULL)
			e->field = fields[i].name;
	}
	json_decref(root);
	return rc;
}

/* Documents. */

enum rc
json_parse(struct str text, struct json **out, struct err *e)
{
	json_error_t je;
	json_t *root;

	if (!depth_ok(text))
		return too_deep(e);
	root = load(text, JSON_DECODE_ANY, &je);
	/* restic prints inode numbers past 2^63: better inexact than no line
	 * at all. */
	if (root == NULL && json_error_code(&je) == json_error_numeric_overflow)
		root =
		    load(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &je);
	if (root == NULL)
		return parse_failed(&je, e);
	*out = (struct json *)(void *)root;
	return RC_OK;
}

void
json_free(struct json *doc)
{
	json_decref((json_t *)(void *)doc);
}

const struct json *
json_get(const struct json *v, const char *name)
{
	return view(json_object_get(node(v), name));
}

size_t
json_len(const struct json *v)
{
	return json_array_size(node(v));
}

const struct json *
json_at(const struct json *v, size_t i)
{
	return view(json_array_get(node(v), i));
}

struct str
json_self_text(const struct json *v)
{
	const json_t *t = node(v);

	if (!json_is_string(t))
		return str_of("");
	return str_from(json_string_value(t), json_string_length(t));
}

struct str
json_text(const struct json *v, const char *name)
{
	return json_self_text(json_get(v, name));
}

int64_t
json_int(const struct json *v, const char *name, int64_t dflt)
{
	const json_t *t = json_object_get(node(v), name);
	double d;

	if (json_is_integer(t))
		return json_integer_value(t);
	if (!json_is_real(t))
		return dflt;
	d = json_real_value(t);
	if (d < -exact_max || d > exact_max || (double)(int64_t)d != d)
		return dflt;
	return (int64_t)d;
}

double
json_num(const struct json *v, const char *name, double dflt)
{
	const json_t *t = json_object_get(node(v), name);

	return json_is_number(t) ? json_number_value(t) : dflt;
}

bool
json_flag(const struct json *v, const char *name, bool dflt)
{
	const json_t *t = json_object_get(node(v), name);

	return json_is_boolean(t) ? json_is_true(t) : dflt;
}

bool
json_is_object(const struct json *v)
{
	const json_t *t = node(v);

	return t != NULL && json_typeof(t) == JSON_OBJECT;
}

bool
json_is_array(const struct json *v)
{
	const json_t *t = node(v);

	return t != NULL && json_typeof(t) == JSON_ARRAY;
}

/* The depth was limited when it was parsed. */
/* NOLINTBEGIN(misc-no-recursion) */
static void
put_members(struct json_out *j, const json_t *object)
{
	json_t *mine = (json_t *)(uintptr_t)object;
	const char *name;
	json_t *value;

	json_object_foreach(mine, name, value)
	    json_put_json(j, name, view(value));
}

void
json_put_json(struct json_out *j, const char *name, const struct json *v)
{
	const json_t *t = node(v);
	size_t i;

	if (json_is_object(v)) {
		json_obj(j, name);
		put_members(j, t);
		json_obj_end(j);
	} else if (json_is_array(v)) {
		json_arr(j, name);
		for (i = 0; i < json_len(v); i++)
			json_put_json(j, NULL, json_at(v, i));
		json_arr_end(j);
	} else if (json_is_string(t)) {
		json_put_str(j, name, json_self_text(v));
	} else if (json_is_integer(t)) {
		json_put_int(j, name, json_integer_value(t));
	} else if (json_is_real(t)) {
		json_put_num(j, name, json_real_value(t));
	} else if (json_is_boolean(t)) {
		json_put_bool(j, name, json_is_true(t));
	} else {
		json_put_null(j, name);
	}
}
/* NOLINTEND(misc-no-recursion) */
