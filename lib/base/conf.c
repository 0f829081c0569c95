/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/conf.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	CONF_ELEMENT_MAX = 4096
};

static const size_t file_max = KIB(256);

/* Where a value comes from, for messages: a file and a line, or the
 * environment (path NULL). */
struct origin {
	const char *path;
	size_t line;
};

struct conf {
	const struct conf_key *keys;
	size_t n;
	char *out; /* the struct of the caller */
	struct err *e;
};

static void *
field(const struct conf *c, const struct conf_key *k)
{
	return c->out + k->offset;
}

/* "file:line: key: what" or "RM_X (environment): what". */
static enum rc
refuse(const struct conf *c, const struct conf_key *k,
    const struct origin *from, const char *what)
{
	if (from == NULL)
		return err_set(c->e, RC_INVALID, "default of %s: %s",
		    k->name != NULL ? k->name : k->env, what);
	if (from->path == NULL)
		return err_set(c->e, RC_INVALID, "%s (environment): %s", k->env,
		    what);
	return err_set(c->e, RC_INVALID, "%s:%zu: %s: %s", from->path,
	    from->line, k->name, what);
}

static enum rc
refuse_range(const struct conf *c, const struct conf_key *k,
    const struct origin *from, const char *of_what)
{
	char what[120];

	if (!str_fmt(what, sizeof(what), "%s between %lld and %lld", of_what,
	        (long long)k->min, (long long)k->max))
		return refuse(c, k, from, of_what);
	return refuse(c, k, from, what);
}

/* Values. */

/* Makes the field empty without looking at what it holds. */
static void
empty_value(const struct conf *c, const struct conf_key *k)
{
	switch (k->type) {
	case CONF_STR:
		*(char **)field(c, k) = NULL;
		break;
	case CONF_STRS:
		*(struct conf_strs *)field(c, k) = (struct conf_strs){ 0 };
		break;
	case CONF_INT:
	case CONF_SIZE:
		*(int64_t *)field(c, k) = 0;
		break;
	case CONF_BOOL:
		*(bool *)field(c, k) = false;
		break;
	}
}

static void
free_text(char *z, unsigned flags)
{
	if (z != NULL && (flags & CONF_SECRET))
		mem_wipe(z, strlen(z));
	mem_free(z);
}

static void
clear_value(const struct conf *c, const struct conf_key *k)
{
	const struct conf_strs *l;
	size_t i;

	if (k->type == CONF_STR) {
		free_text(*(char **)field(c, k), k->flags);
	} else if (k->type == CONF_STRS) {
		l = field(c, k);
		for (i = 0; i < l->n; i++)
			free_text(l->v[i], k->flags);
		mem_free(l->v);
	}
	empty_value(c, k);
}

static bool
has_control(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static bool
parse_bool(struct str s, bool *out)
{
	/* clang-format off */
	static const struct { const char *word; bool v; } words[] = {
		{ "true", true }, { "yes", true }, { "on", true }, { "1", true },
		{ "false", false }, { "no", false }, { "off", false },
		{ "0", false },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		if (str_case_eq(s, str_of(words[i].word))) {
			*out = words[i].v;
			return true;
		}
	}
	return false;
}

static bool
parse_size(struct str s, int64_t *out)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	const char *unit;
	int64_t v;

	if (s.n > 1) {
		unit = strchr(units, s.p[s.n - 1] & ~0x20);
		if (unit != NULL && *unit != '\0') {
			shift = 10 * (unsigned)(unit - units + 1);
			s.n--;
		}
	}
	if (!str_i64(s, 0, INT64_MAX >> shift, &v))
		return false;
	*out = v << shift;
	return true;
}

static enum rc
set_number(const struct conf *c, const struct conf_key *k, struct str s,
    const struct origin *from)
{
	int64_t v;

	if (k->type == CONF_SIZE && !parse_size(s, &v))
		return refuse(c, k, from,
		    "must be a size such as 64, 32K, 10M or 20G");
	if (k->type == CONF_INT && !str_i64(s, INT64_MIN, INT64_MAX, &v))
		return refuse(c, k, from, "must be a whole number");
	if (v < k->min || v > k->max)
		return refuse_range(c, k, from, "must be");
	*(int64_t *)field(c, k) = v;
	return RC_OK;
}

static enum rc
set_str(const struct conf *c, const struct conf_key *k, struct str s,
    const struct origin *from)
{
	char **z = field(c, k);

	if ((int64_t)s.n < k->min || (int64_t)s.n > k->max)
		return refuse_range(c, k, from, "must have a length");
	clear_value(c, k);
	*z = mem_strndup(s.p, s.n);
	return RC_OK;
}

static enum rc
add_element(const struct conf *c, const struct conf_key *k, struct str s,
    const struct origin *from)
{
	struct conf_strs *l = field(c, k);

	if (s.n == 0)
		return refuse(c, k, from, "has an empty element");
	if (s.n > CONF_ELEMENT_MAX)
		return refuse(c, k, from, "has an element that is too long");
	if ((int64_t)l->n >= k->max)
		return refuse_range(c, k, from,
		    "must have a number of elements");
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = mem_strndup(s.p, s.n);
	return RC_OK;
}

static enum rc
end_elements(const struct conf *c, const struct conf_key *k,
    const struct origin *from)
{
	const struct conf_strs *l = field(c, k);

	if ((int64_t)l->n < k->min)
		return refuse_range(c, k, from,
		    "must have a number of elements");
	return RC_OK;
}

static enum rc
set_words(const struct conf *c, const struct conf_key *k, struct str s,
    const struct origin *from)
{
	struct str word;
	enum rc rc = RC_OK;

	clear_value(c, k);
	while (rc == RC_OK && s.n > 0 && str_next(&s, ',', &word))
		rc = add_element(c, k, str_trim(word), from);
	return rc != RC_OK ? rc : end_elements(c, k, from);
}

static enum rc
check_text(const struct conf *c, const struct conf_key *k, struct str s,
    const struct origin *from)
{
	if (!str_utf8_ok(s))
		return refuse(c, k, from, "is not well-formed UTF-8");
	if (has_control(s))
		return refuse(c, k, from, "has a control character");
	return RC_OK;
}

static enum rc
set_text(const struct conf *c, const struct conf_key *k, struct str s,
    const struct origin *from)
{
	enum rc rc;

	if ((rc = check_text(c, k, s, from)) != RC_OK)
		return rc;
	switch (k->type) {
	case CONF_STR:
		return set_str(c, k, s, from);
	case CONF_STRS:
		return set_words(c, k, s, from);
	case CONF_INT:
	case CONF_SIZE:
		return set_number(c, k, s, from);
	case CONF_BOOL:
		if (!parse_bool(s, field(c, k)))
			return refuse(c, k, from, "must be true or false");
		return RC_OK;
	}
	return RC_INVALID; /* no such type */
}

/* The file. */

struct file {
	struct conf c;
	const char *path;
	yaml_parser_t yaml;
	bool *seen; /* one per key */
};

static enum rc
file_error(const struct file *f, size_t line, const char *what)
{
	return err_set(f->c.e, RC_INVALID, "%s:%zu: %s", f->path, line, what);
}

static size_t
line_of(const yaml_event_t *ev)
{
	return ev->start_mark.line + 1;
}

static struct str
scalar_of(const yaml_event_t *ev)
{
	return str_from(ev->data.scalar.value, ev->data.scalar.length);
}

static enum rc
next_event(struct file *f, yaml_event_t *ev)
{
	const yaml_parser_t *y = &f->yaml;

	if (yaml_parser_parse(&f->yaml, ev) == 1)
		return RC_OK;
	if (y->error == YAML_MEMORY_ERROR)
		return err_set(f->c.e, RC_LIMIT, "%s: not enough memory",
		    f->path);
	if (y->error == YAML_READER_ERROR)
		return err_set(f->c.e, RC_INVALID,
		    "%s:%zu: a character that YAML does not allow", f->path,
		    y->mark.line + 1);
	return file_error(f, y->problem_mark.line + 1,
	    y->problem != NULL ? y->problem : "is not well-formed YAML");
}

static bool
is_null(const yaml_event_t *ev)
{
	const struct str s = scalar_of(ev);

	if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return s.n == 0 || str_eqz(s, "~") || str_case_eq(s, STR("null"));
}

static enum rc
find_key(struct file *f, const yaml_event_t *ev, const struct conf_key **out)
{
	const struct conf_key *k;
	size_t i;

	if (ev->type != YAML_SCALAR_EVENT)
		return file_error(f, line_of(ev),
		    "a key must be a plain word followed by a colon");
	for (i = 0; i < f->c.n; i++) {
		k = &f->c.keys[i];
		if (k->name == NULL || !str_eqz(scalar_of(ev), k->name))
			continue;
		if (f->seen[i])
			return err_set(f->c.e, RC_INVALID,
			    "%s:%zu: the key %s is there twice", f->path,
			    line_of(ev), k->name);
		f->seen[i] = true;
		*out = k;
		return RC_OK;
	}
	return err_set(f->c.e, RC_INVALID, "%s:%zu: unknown key %s", f->path,
	    line_of(ev), log_safe(scalar_of(ev)));
}

/* One element, or the end of the list. */
static enum rc
read_element(struct file *f, const struct conf_key *k, bool *more)
{
	struct origin from = { f->path, 0 };
	yaml_event_t ev;
	enum rc rc;

	if ((rc = next_event(f, &ev)) != RC_OK)
		return rc;
	from.line = line_of(&ev);
	if (ev.type == YAML_SEQUENCE_END_EVENT) {
		*more = false;
		rc = end_elements(&f->c, k, &from);
	} else if (ev.type != YAML_SCALAR_EVENT) {
		rc = refuse(&f->c, k, &from, "elements must be single values");
	} else {
		rc = check_text(&f->c, k, scalar_of(&ev), &from);
		if (rc == RC_OK)
			rc = add_element(&f->c, k, scalar_of(&ev), &from);
	}
	yaml_event_delete(&ev);
	return rc;
}

static enum rc
read_list(struct file *f, const struct conf_key *k, const struct origin *from)
{
	enum rc rc = RC_OK;
	bool more = true;

	if (k->type != CONF_STRS)
		return refuse(&f->c, k, from,
		    "must be a single value, not a list");
	clear_value(&f->c, k);
	while (rc == RC_OK && more)
		rc = read_element(f, k, &more);
	return rc;
}

static enum rc
read_value(struct file *f, const struct conf_key *k)
{
	struct origin from = { f->path, 0 };
	yaml_event_t ev;
	enum rc rc;

	if ((rc = next_event(f, &ev)) != RC_OK)
		return rc;
	from.line = line_of(&ev);
	if (ev.type == YAML_SEQUENCE_START_EVENT)
		rc = read_list(f, k, &from);
	else if (ev.type != YAML_SCALAR_EVENT)
		rc = refuse(&f->c, k, &from,
		    "must be a single value or a list, nothing nested");
	else if (!is_null(&ev)) /* "key:" alone leaves the default */
		rc = set_text(&f->c, k, scalar_of(&ev), &from);
	yaml_event_delete(&ev);
	return rc;
}

/* Takes the next event for its kind alone. */
static enum rc
next_kind(struct file *f, int *kind, size_t *line)
{
	yaml_event_t ev;
	enum rc rc;

	if ((rc = next_event(f, &ev)) != RC_OK)
		return rc;
	*kind = (int)ev.type;
	*line = line_of(&ev);
	yaml_event_delete(&ev);
	return RC_OK;
}

static enum rc
read_map(struct file *f)
{
	const struct conf_key *k;
	yaml_event_t ev;
	bool more = true;
	enum rc rc = RC_OK;

	while (rc == RC_OK && more) {
		if ((rc = next_event(f, &ev)) != RC_OK)
			return rc;
		more = ev.type != YAML_MAPPING_END_EVENT;
		k = NULL;
		if (more)
			rc = find_key(f, &ev, &k);
		yaml_event_delete(&ev);
		if (k != NULL && rc == RC_OK)
			rc = read_value(f, k);
	}
	return rc;
}

static enum rc
read_document(struct file *f)
{
	yaml_event_t ev;
	size_t line;
	enum rc rc;
	int kind;

	if ((rc = next_event(f, &ev)) != RC_OK)
		return rc;
	if (ev.type == YAML_MAPPING_START_EVENT)
		rc = read_map(f);
	else if (ev.type != YAML_SCALAR_EVENT || !is_null(&ev))
		rc = file_error(f, line_of(&ev),
		    "must be lines of the form key: value");
	yaml_event_delete(&ev);
	return rc != RC_OK ? rc : next_kind(f, &kind, &line);
}

static enum rc
read_stream(struct file *f)
{
	size_t line = 0;
	enum rc rc;
	int kind;

	if ((rc = next_kind(f, &kind, &line)) == RC_OK)
		rc = next_kind(f, &kind, &line);
	if (rc != RC_OK)
		return rc;
	if (kind == YAML_STREAM_END_EVENT)
		return RC_OK; /* nothing but comments */
	if ((rc = read_document(f)) != RC_OK ||
	    (rc = next_kind(f, &kind, &line)) != RC_OK)
		return rc;
	if (kind != YAML_STREAM_END_EVENT)
		return file_error(f, line, "a second document is not allowed");
	return RC_OK;
}

static enum rc
parse_file(const struct conf *c, const char *path, struct str text)
{
	struct file f = { .c = *c, .path = path };
	enum rc rc;

	if (yaml_parser_initialize(&f.yaml) != 1)
		return err_set(c->e, RC_LIMIT, "%s: not enough memory", path);
	/* Else a byte order mark could turn it into UTF-16. */
	yaml_parser_set_encoding(&f.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&f.yaml, (const unsigned char *)text.p,
	    text.n);
	f.seen = mem_array(c->n, sizeof(*f.seen));
	rc = read_stream(&f);
	mem_free(f.seen);
	yaml_parser_delete(&f.yaml);
	return rc;
}

static enum rc
load_file(const struct conf *c, const char *path, bool must_exist)
{
	struct buf text;
	enum rc rc;

	buf_init(&text, file_max);
	rc = fsio_read(path, &text, c->e);
	if (rc == RC_OK)
		rc = parse_file(c, path, str_from(buf_text(&text), text.len));
	else if (rc == RC_NOTFOUND && !must_exist)
		rc = RC_OK;
	buf_wipe_fini(&text);
	return rc;
}

static enum rc
load_defaults(const struct conf *c)
{
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; i < c->n && rc == RC_OK; i++) {
		if (c->keys[i].dflt != NULL)
			rc = set_text(c, &c->keys[i], str_of(c->keys[i].dflt),
			    NULL);
	}
	return rc;
}

static enum rc
load_env(const struct conf *c)
{
	const struct origin from = { NULL, 0 };
	const struct conf_key *k;
	const char *z;
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; i < c->n && rc == RC_OK; i++) {
		k = &c->keys[i];
		z = k->env != NULL ? getenv(k->env) : NULL;
		if (z != NULL && z[0] != '\0')
			rc = set_text(c, k, str_of(z), &from);
	}
	return rc;
}

enum rc
conf_load(const struct conf_key *keys, size_t n, const char *path,
    bool must_exist, void *out, struct err *e)
{
	const struct conf c = { keys, n, out, e };
	enum rc rc;
	size_t i;

	for (i = 0; i < n; i++)
		empty_value(&c, &keys[i]);
	rc = load_defaults(&c);
	if (rc == RC_OK && path != NULL)
		rc = load_file(&c, path, must_exist);
	if (rc == RC_OK)
		rc = load_env(&c);
	if (rc != RC_OK)
		conf_free(keys, n, out);
	return rc;
}

void
conf_free(const struct conf_key *keys, size_t n, void *out)
{
	const struct conf c = { keys, n, out, NULL };
	size_t i;

	for (i = 0; i < n; i++)
		clear_value(&c, &keys[i]);
}
