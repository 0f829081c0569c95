/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/agent_help.h"
#include "tests/unit/agent/due_help.h"

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/facts.h"
#include "agent/plan.h"
#include "agent/secrets.h"

static struct agent a;
static char path[256];
static const uint8_t key[CRYPT_KEY_SIZE] = { 9 };

static int
begin(void **state)
{
	int rc = unit_folder_make(state);

	a = (struct agent){ 0 };
	a.loop = help_loop();
	a.queue = help_queue(*state);
	a.events = events_new(a.loop, a.queue);
	help_path(path, *state, "secrets.enc");
	assert_rc(secrets_open(path, key, &a.secrets, NULL), RC_OK);
	return rc;
}

static int
finish(void **state)
{
	help_sync(a.loop, a.events);
	events_free(a.events);
	queue_close(a.queue);
	secrets_close(a.secrets);
	loop_free(a.loop);
	return unit_folder_remove(state);
}

static void
apply(uint64_t version, const char *password, uint32_t up)
{
	Wire__RepoSlot slot = WIRE__REPO_SLOT__INIT;
	Wire__Config c = WIRE__CONFIG__INIT;
	Wire__Caps caps = WIRE__CAPS__INIT;
	char text[64] = "", url[] = "/repo";

	c.version = version;
	c.caps = &caps;
	caps.bandwidth_up_kbps = up;
	if (password != NULL) {
		assert_true(str_copy(text, sizeof(text), str_of(password)));
		slot.url = url;
		slot.password = text;
		c.repo = &slot;
	}
	config_apply(&a, &c);
	/* The message is wiped where it was. */
	assert_int_equal(text[0], '\0');
}

static size_t
acks(uint64_t *last)
{
	Wire__Event *all[16];
	size_t n;

	help_sync(a.loop, a.events);
	n = help_events(a.events, 1, all);
	if (n > 0) {
		assert_int_equal(all[n - 1]->body_case,
		    WIRE__EVENT__BODY_CONFIG_ACK);
		*last = all[n - 1]->config_ack->version;
	}
	help_events_free(all, n);
	return n;
}

/* M-114, M-452, M-453 */
static void
a_configuration_is_stored_then_acknowledged(void **state)
{
	struct secrets_repo repo;
	uint64_t last = 0;

	(void)state;
	apply(3, "canary-1", 100);
	assert_int_equal(secrets_config(a.secrets).version, 3);
	assert_int_equal(secrets_config(a.secrets).up_kbps, 100);
	assert_int_equal(acks(&last), 1);
	assert_int_equal(last, 3);
	/* The same again is nothing new. */
	apply(3, "canary-2", 5);
	assert_int_equal(acks(&last), 1);
	assert_rc(secrets_get(a.secrets, SECRETS_REPO, &repo, NULL), RC_OK);
	assert_str(secret_str(&repo.password), "canary-1");
	secrets_repo_fini(&repo);
	/* A lower number is another configuration: a restored controller. */
	apply(2, NULL, 0);
	assert_int_equal(acks(&last), 2);
	assert_int_equal(last, 2);
	assert_rc(secrets_get(a.secrets, SECRETS_REPO, &repo, NULL),
	    RC_NOTFOUND);
}

static uint64_t
version_after_a_restart(void)
{
	struct secrets *again;
	uint64_t version;

	assert_rc(secrets_open(path, key, &again, NULL), RC_OK);
	version = secrets_config(again).version;
	secrets_close(again);
	return version;
}

/* Killed before the word of it is on disk, it would never be said: the
 * controller has to send it once more. */
static void
what_was_not_yet_acknowledged_is_not_held_after_a_restart(void **state)
{
	uint64_t last = 0;

	(void)state;
	apply(3, "canary-1", 0);
	assert_int_equal(version_after_a_restart(), 0);
	assert_int_equal(secrets_config(a.secrets).version, 3);
	assert_int_equal(acks(&last), 1);
	help_run_ms(a.loop, 50);
	assert_int_equal(version_after_a_restart(), 3);
	apply(4, "canary-1", 0);
	apply(5, "canary-1", 0);
	assert_int_equal(version_after_a_restart(), 0);
	assert_int_equal(acks(&last), 3);
	help_run_ms(a.loop, 50);
	assert_int_equal(version_after_a_restart(), 5);
}

static void
what_cannot_be_stored_is_not_acknowledged(void **state)
{
	struct buf b;
	uint64_t last = 0;

	(void)state;
	apply(3, "canary-1", 0);
	buf_init(&b, KIB(64));
	assert_rc(fsio_read(path, &b, NULL), RC_OK);
	assert_rc(fsio_replace(path, STR("damaged under us"), 0600, NULL),
	    RC_OK);
	apply(4, "canary-2", 0);
	assert_int_equal(secrets_config(a.secrets).version, 3);
	assert_int_equal(acks(&last), 1);
	assert_rc(fsio_replace(path, buf_str(&b), 0600, NULL), RC_OK);
	buf_fini(&b);
}

/* ------------------------------------------------------------------ plans */

static void
apply_plan(uint64_t version, Wire__Plan *plan)
{
	Wire__Config c = WIRE__CONFIG__INIT;

	c.version = version;
	c.plan = plan;
	config_apply(&a, &c);
}

/* Of the latest acknowledgement. */
static bool
refused(const char *words)
{
	Wire__Event *all[16];
	bool ok;
	size_t n;

	help_sync(a.loop, a.events);
	n = help_events(a.events, 1, all);
	assert_true(n > 0);
	ok = words[0] == '\0'
	         ? all[n - 1]->config_ack->refused[0] == '\0'
	         : str_contains(str_of(all[n - 1]->config_ack->refused),
	               str_of(words));
	help_events_free(all, n);
	return ok;
}

/* The expression of the plan's first schedule; "": there is no plan. */
static void
check_held(const char *cron)
{
	Wire__Plan *held;
	struct buf b;
	enum rc rc;

	buf_init(&b, PLAN_BYTES_MAX);
	rc = secrets_plan(a.secrets, &b, NULL);
	assert_rc(rc, cron[0] == '\0' ? RC_NOTFOUND : RC_OK);
	if (rc == RC_OK) {
		held = plan_unpack(buf_str(&b));
		assert_non_null(held);
		assert_string_equal(held->schedules[0]->cron, cron);
		plan_free(held);
	}
	buf_fini(&b);
}

static void
a_plan_comes_with_the_configuration_and_goes_with_it(void **state)
{
	Wire__Hooks hooks = WIRE__HOOKS__INIT;
	uint8_t body[] = "canary-hook";
	struct small s;
	struct buf b;

	(void)state;
	small_init(&s, "0 2 * * *");
	hooks.pre.data = body;
	hooks.pre.len = sizeof(body) - 1;
	s.group[0].hooks = &hooks;
	apply_plan(1, &s.plan);
	assert_true(refused(""));
	check_held("0 2 * * *");
	/* Wiped in the message, sealed on the disk. */
	assert_int_equal(body[0], 0);
	buf_init(&b, MIB(1));
	assert_rc(fsio_read(path, &b, NULL), RC_OK);
	assert_false(str_contains(buf_str(&b), STR("canary")));
	buf_fini(&b);
	apply_plan(2, NULL);
	assert_true(refused(""));
	check_held("");
}

static void
a_plan_that_is_refused_leaves_the_former_one(void **state)
{
	struct small s;

	(void)state;
	small_init(&s, "0 2 * * *");
	apply_plan(1, &s.plan);
	small_init(&s, "0 3 * * *");
	s.schedule[0].n_group_ids = 0;
	apply_plan(2, &s.plan);
	assert_true(refused("no source group"));
	assert_true(refused("the former plan stays in force"));
	check_held("0 2 * * *");
	/* It will not become better: it is not asked for again. */
	assert_int_equal(secrets_config(a.secrets).version, 2);
}

/* Until this program understands it: then the controller is asked again. */
static void
a_plan_of_a_newer_format_is_asked_for_after_an_update(void **state)
{
	struct small s;

	(void)state;
	small_init(&s, "0 2 * * *");
	apply_plan(1, &s.plan);
	s.plan.format = PLAN_FORMAT + 1;
	s.schedule[0].cron = (char *)(uintptr_t) "0 3 * * *";
	apply_plan(2, &s.plan);
	assert_true(refused("update the agent"));
	check_held("0 2 * * *");
	assert_int_equal(secrets_config(a.secrets).version, 2);
	/* As if what was refused had been of the format that is known now. */
	assert_rc(secrets_put_plan(a.secrets, NULL, PLAN_FORMAT, NULL), RC_OK);
	check_held("0 2 * * *");
	assert_int_equal(secrets_config(a.secrets).version, 0);
	/* It comes with the same version, and is taken this time. */
	s.plan.format = PLAN_FORMAT;
	apply_plan(2, &s.plan);
	assert_true(refused(""));
	check_held("0 3 * * *");
	assert_int_equal(secrets_config(a.secrets).version, 2);
}

/* M-178 */
static void
a_schedule_that_cannot_fire_is_told_the_rest_is_taken(void **state)
{
	struct small s;

	(void)state;
	small_init(&s, "0 2 * * *");
	small_schedule(&s, 1, OTHER, "99 * * * *", 1);
	apply_plan(1, &s.plan);
	assert_true(refused("cannot fire here"));
	assert_true(refused("the rest of the plan is in force"));
	check_held("0 2 * * *");
}

static void
the_zone_is_the_one_the_host_is_set_to(void **state)
{
	static const char *const rows[][2] = {
		{ "Europe/Berlin", "Europe/Berlin" },
		{ ":America/New_York", "America/New_York" },
		{ ":/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo" },
		{ "", "UTC" },
		{ "CET-1CEST", "UTC" },
		{ "../../etc/passwd", "UTC" },
	};
	char zone[CRON_ZONE_CAP];
	int32_t offset;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(setenv("TZ", rows[i][0], 1), 0);
		facts_zone(zone);
		assert_string_equal(zone, rows[i][1]);
	}
	assert_int_equal(unsetenv("TZ"), 0);
	facts_zone(zone);
	assert_true(clock_zone_offset(zone, 0, &offset));
}

/* M-115 */
static void
facts_tell_this_host(void **state)
{
	struct facts f, g;
	struct err e = { 0 };
	char other[256], link[256];

	help_path(other, *state, "other");
	help_path(link, *state, "link");
	assert_rc(fsio_mkdirs(other, 0700, NULL), RC_OK);
	assert_int_equal(symlink(other, link), 0);
	assert_rc(facts_read(&f, *state, &e), RC_OK);
	assert_true(f.hostname[0] != '\0');
	assert_string_equal(f.os, "linux");
	assert_true(f.arch[0] != '\0');
	assert_true(f.boot_time_ms > 0);
	/* Another queue is another instance, a link to the same is not. */
	assert_rc(facts_read(&g, other, &e), RC_OK);
	assert_memory_not_equal(f.instance_id, g.instance_id, 32);
	assert_rc(facts_read(&f, link, &e), RC_OK);
	assert_memory_equal(f.instance_id, g.instance_id, 32);
	assert_rc(facts_read(&f, "/nonexistent", &e), RC_NOTFOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_was_not_yet_acknowledged_is_not_held_after_a_restart,
		    begin, finish),
		cmocka_unit_test_setup_teardown(
		    a_configuration_is_stored_then_acknowledged, begin, finish),
		cmocka_unit_test_setup_teardown(
		    what_cannot_be_stored_is_not_acknowledged, begin, finish),
		cmocka_unit_test_setup_teardown(
		    a_plan_comes_with_the_configuration_and_goes_with_it, begin,
		    finish),
		cmocka_unit_test_setup_teardown(
		    a_plan_that_is_refused_leaves_the_former_one, begin,
		    finish),
		cmocka_unit_test_setup_teardown(
		    a_plan_of_a_newer_format_is_asked_for_after_an_update,
		    begin, finish),
		cmocka_unit_test_setup_teardown(
		    a_schedule_that_cannot_fire_is_told_the_rest_is_taken,
		    begin, finish),
		cmocka_unit_test(the_zone_is_the_one_the_host_is_set_to),
		unit_test_in_folder(facts_tell_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
