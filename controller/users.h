/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_USERS_H
#define CONTROLLER_USERS_H
/* First run, signing in and out, throttling (contract.md, HTTP). */
#include <stdbool.h>

#include "lib/base/rc.h"

struct controller;
struct req;
struct users;

/* Mints and prints the bootstrap token while there is no user. */
struct users *users_new(struct controller *c);
void users_free(struct users *u);
bool users_bootstrap_open(const struct users *u);
void users_tick(struct users *u); /* every minute: forgets old failures */

void users_bootstrap_page(struct req *r); /* GET /bootstrap */
void users_bootstrap(struct req *r);      /* POST /bootstrap, /api/bootstrap */
void users_login_page(struct req *r);
void users_login(struct req *r);  /* POST /login, /api/auth/login */
void users_logout(struct req *r); /* POST /logout, /api/auth/logout */
extern const struct route_json users_bootstrap_body;
extern const struct route_json users_login_body;
#endif
