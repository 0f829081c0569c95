/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/agent_help.h"

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/facts.h"
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
		    a_configuration_is_stored_then_acknowledged, begin, finish),
		cmocka_unit_test_setup_teardown(
		    what_cannot_be_stored_is_not_acknowledged, begin, finish),
		unit_test_in_folder(facts_tell_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
