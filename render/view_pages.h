/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_VIEW_PAGES_H
#define RENDER_VIEW_PAGES_H
/* The views of the table in pages.c, one per page. */
#include "render/pages.h"

pages_view_fn view_bootstrap;
pages_view_fn view_login;
pages_view_fn view_dashboard;
pages_view_fn view_host_new;
pages_view_fn view_pending;
pages_view_fn view_host;
pages_view_fn view_host_jobs;
pages_view_fn view_host_repo;
pages_view_fn view_host_sources;
pages_view_fn view_host_source;
pages_view_fn view_host_schedules;
pages_view_fn view_host_schedule;
pages_view_fn view_job;
pages_view_fn view_account;
pages_view_fn view_account_token;
pages_view_fn view_jobs;
pages_view_fn view_search;
pages_view_fn view_audit;
pages_view_fn view_users;
pages_view_fn view_user_new;
pages_view_fn view_user;
pages_view_fn view_user_link;
pages_view_fn view_setup;
pages_view_fn view_error;

/* On page host_new: enrolments [..], pager, was (one that is over). */
void view_enrolments(struct view *v, struct value *root);
/* There too: the words of the command that announces a host. */
void view_tokenless(struct view *v, struct value *root);
/* On page dashboard: pending_hosts [..], any_waiting, who waits for approval. */
void view_waiting(struct view *v, struct value *root);
#endif
