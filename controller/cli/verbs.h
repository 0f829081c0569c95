/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CLI_VERBS_H
#define CONTROLLER_CLI_VERBS_H
/*
 * All the command can be asked: one table, from which --help, the shell
 * completion and the manual page's list are made or checked.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/cli/exit.h"

struct args;
struct cli;

struct verb {
	const char *name;   /* "hosts show" */
	const char *params; /* "HOST [GROUP]", "" for none */
	unsigned min, max;  /* words after the name */
	bool usual;         /* what the first word alone means */
	uint64_t options;   /* beside the global ones */
	enum exit_code (*run)(struct cli *c);
	const char *help;
};

const struct verb *verbs_table(size_t *n);
/* The verb that the words begin with; *used is how many of them name it.
 * NULL with the reason in e. */
const struct verb *verbs_find(const struct args *a, size_t *used,
    struct err *e);
/* Whether words and options fit it. */
MUST_USE enum rc verbs_check(const struct verb *v, const struct args *a,
    size_t used, struct err *e);

enum exit_code verb_login(struct cli *c);
enum exit_code verb_logout(struct cli *c);
enum exit_code verb_whoami(struct cli *c);
enum exit_code verb_hosts_list(struct cli *c);
enum exit_code verb_hosts_show(struct cli *c);
enum exit_code verb_hosts_limit(struct cli *c);
enum exit_code verb_hosts_mode(struct cli *c);
enum exit_code verb_hosts_rotate_bearer(struct cli *c);
enum exit_code verb_snapshots(struct cli *c);
enum exit_code verb_search(struct cli *c);
enum exit_code verb_run(struct cli *c);
enum exit_code verb_repo_check(struct cli *c);
enum exit_code verb_repo_forget(struct cli *c);
enum exit_code verb_repo_prune(struct cli *c);
enum exit_code verb_repo_unlock(struct cli *c);
enum exit_code verb_groups_list(struct cli *c);
enum exit_code verb_groups_show(struct cli *c);
enum exit_code verb_groups_create(struct cli *c);
enum exit_code verb_groups_set(struct cli *c);
enum exit_code verb_groups_delete(struct cli *c);
enum exit_code verb_schedules_list(struct cli *c);
enum exit_code verb_schedules_create(struct cli *c);
enum exit_code verb_schedules_pause(struct cli *c);
enum exit_code verb_schedules_resume(struct cli *c);
enum exit_code verb_schedules_delete(struct cli *c);
enum exit_code verb_jobs_list(struct cli *c);
enum exit_code verb_jobs_show(struct cli *c);
enum exit_code verb_jobs_cancel(struct cli *c);
enum exit_code verb_logs(struct cli *c);
enum exit_code verb_tokens_create(struct cli *c);
enum exit_code verb_tokens_list(struct cli *c);
enum exit_code verb_tokens_regenerate(struct cli *c);
enum exit_code verb_tokens_revoke(struct cli *c);
enum exit_code verb_pending_list(struct cli *c);
enum exit_code verb_pending_accept(struct cli *c);
enum exit_code verb_pending_reject(struct cli *c);
enum exit_code verb_api_tokens_list(struct cli *c);
enum exit_code verb_api_tokens_create(struct cli *c);
enum exit_code verb_api_tokens_revoke(struct cli *c);
enum exit_code verb_users_list(struct cli *c);
enum exit_code verb_users_invite(struct cli *c);
enum exit_code verb_users_disable(struct cli *c);
enum exit_code verb_users_enable(struct cli *c);
enum exit_code verb_users_sign_out(struct cli *c);
enum exit_code verb_users_link(struct cli *c);
enum exit_code verb_state_info(struct cli *c);
enum exit_code verb_state_copy(struct cli *c);
enum exit_code verb_state_reset_password(struct cli *c);
enum exit_code verb_doctor(struct cli *c);
enum exit_code verb_audit_verify(struct cli *c);
enum exit_code verb_completion(struct cli *c);
enum exit_code verb_help(struct cli *c);
#endif
