/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_USERS_ADMIN_H
#define CONTROLLER_USERS_ADMIN_H
/*
 * Users as administrators see them (M-041 to M-052): JSON below /api/users
 * (users_admin.c), pages and forms below /settings/users (users_pages.c),
 * both by the ops of users_op.c, and the setup link, with which somebody
 * who was invited chooses a password (users_setup.c).
 *
 * The last administrator who can sign in is neither disabled nor demoted:
 * decided inside the op, so that two who do it to each other cannot both.
 */
struct req;

enum {
	USERS_SETUP_S = 3600,          /* a setup link's life (M-042) */
	USERS_SETUP_SESSION_S = 28800, /* of the session it ends in (M-017) */
	USERS_EMAIL_MAX = 254,
	USERS_LIST_MAX = 100
};

void users_list(struct req *r);   /* GET /api/users */
void users_get(struct req *r);    /* GET /api/users/{id} */
void users_create(struct req *r); /* POST /api/users */
void users_patch(struct req *r);  /* PATCH /api/users/{id} */
extern const struct route_json users_create_body;
extern const struct route_json users_patch_body;

/* POST /api/users/{id}/... and /settings/users/{id}/... */
void users_disable(struct req *r);
void users_enable(struct req *r);
void users_new_link(struct req *r);
void users_force_logout(struct req *r);

void users_page(struct req *r);      /* GET /settings/users */
void users_new_page(struct req *r);  /* GET /settings/users/new */
void users_new_form(struct req *r);  /* POST */
void users_edit_page(struct req *r); /* GET /settings/users/{id} */
void users_edit_form(struct req *r); /* POST */
/* POST /settings/users/{id}/tokens/{token}/revoke */
void users_revoke_token(struct req *r);
void users_link_page(struct req *r); /* GET /settings/users/{id}/link */

void users_setup_page(struct req *r); /* GET /setup?token= */
void users_setup(struct req *r);      /* POST /setup */
#endif
