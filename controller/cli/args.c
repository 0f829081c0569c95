/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/args.h"

#include <string.h>

#include "lib/base/str.h"

static const struct args_option options[] = {
#define X(id, name, brief, value, list, help) \
	{ name, brief, value, list, help },
	ARGS_OPTIONS(X)
#undef X
};
_Static_assert(ARRAY_LEN(options) == ARGS_OPTION_COUNT, "a row per option");

/* What is being taken apart. */
struct parsing {
	int argc;
	char *const *argv;
	int at; /* the next word */
	struct args *out;
};

const struct args_option *
args_option(enum args_id id)
{
	return &options[id];
}

bool
args_has(const struct args *a, enum args_id id)
{
	return (a->seen & ARGS_BIT(id)) != 0;
}

const char *
args_value(const struct args *a, enum args_id id)
{
	return args_has(a, id) ? a->value[id] : NULL;
}

const struct args_list *
args_list(const struct args *a, enum args_id id)
{
	unsigned list = options[id].list;

	ASSERT(list > 0 && list <= ARGS_LISTS);
	return &a->list[list - 1];
}

enum rc
args_number(const struct args *a, enum args_id id, int64_t min, int64_t max,
    int64_t dflt, int64_t *out, struct err *e)
{
	const char *text = args_value(a, id);

	*out = dflt;
	if (text != NULL && !str_i64(str_of(text), min, max, out))
		return err_set(e, RC_INVALID,
		    "--%s takes a whole number from %lld to %lld",
		    options[id].name, (long long)min, (long long)max);
	return RC_OK;
}

static enum rc
keep(struct args *a, size_t id, const char *value, struct err *e)
{
	const struct args_option *o = &options[id];
	struct args_list *list;

	if ((a->seen & ARGS_BIT(id)) != 0 && o->list == 0 && o->value != NULL)
		return err_set(e, RC_INVALID, "--%s is given twice", o->name);
	a->seen |= ARGS_BIT(id);
	a->value[id] = value;
	if (o->list == 0)
		return RC_OK;
	list = &a->list[o->list - 1];
	if (list->n == ARGS_REPEAT_MAX)
		return err_set(e, RC_INVALID,
		    "--%s is given more than %d times", o->name,
		    (int)ARGS_REPEAT_MAX);
	list->v[list->n++] = value;
	return RC_OK;
}

/* inlined: what stood in the same word, .p NULL when nothing did. */
static enum rc
take(struct parsing *p, size_t id, struct str inlined, struct err *e)
{
	const struct args_option *o = &options[id];

	if (o->value == NULL) {
		if (inlined.p != NULL)
			return err_set(e, RC_INVALID, "--%s takes no value",
			    o->name);
		return keep(p->out, id, "", e);
	}
	if (inlined.p != NULL)
		return keep(p->out, id, inlined.p, e);
	if (p->at == p->argc)
		return err_set(e, RC_INVALID, "--%s needs a value: %s", o->name,
		    o->value);
	return keep(p->out, id, p->argv[p->at++], e);
}

static enum rc
take_long(struct parsing *p, const char *text, struct err *e)
{
	struct str name, value = { NULL, 0 };
	size_t i;

	if (!str_cut(str_of(text), '=', &name, &value))
		value.p = NULL;
	for (i = 0; i < ARRAY_LEN(options); i++)
		if (str_eqz(name, options[i].name))
			return take(p, i, value, e);
	return err_set(e, RC_INVALID, "there is no option --%.40s", name.p);
}

/* -f, -o json, -ojson; flags are not run together. */
static enum rc
take_short(struct parsing *p, const char *text, struct err *e)
{
	struct str value = { NULL, 0 };
	size_t i;

	if (text[1] != '\0')
		value = str_of(text + 1);
	for (i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].brief == text[0])
			return take(p, i, value, e);
	return err_set(e, RC_INVALID, "there is no option -%.40s", text);
}

enum rc
args_parse(int argc, char *const *argv, struct args *out, struct err *e)
{
	struct parsing p = { argc, argv, 1, out };
	bool over = false; /* after "--" */
	enum rc rc = RC_OK;

	memset(out, 0, sizeof(*out));
	while (rc == RC_OK && p.at < argc) {
		const char *text = argv[p.at++];

		if (!over && strcmp(text, "--") == 0)
			over = true;
		else if (!over && strncmp(text, "--", 2) == 0)
			rc = take_long(&p, text + 2, e);
		else if (!over && text[0] == '-' && text[1] != '\0')
			rc = take_short(&p, text + 1, e);
		else if (out->words == ARGS_WORDS_MAX)
			rc = err_set(e, RC_INVALID, "too many arguments");
		else
			out->word[out->words++] = text;
	}
	return rc;
}
