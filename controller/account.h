/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ACCOUNT_H
#define CONTROLLER_ACCOUNT_H
/* One's own account: password, sessions, API tokens (M-027, M-435). */

struct req;

void account_settings(struct req *r); /* GET /settings: where to by role */
void account_page(struct req *r);     /* GET /settings/account */
void account_get(struct req *r);      /* GET /api/account */
/* POST /settings/account, POST /api/account/password */
void account_password(struct req *r);
extern const struct route_json account_password_body;
/* POST /settings/account/sign-out-others */
void account_end_others(struct req *r);
/* POST /settings/account/tokens, and what it leads to, .../tokens/{id} */
void account_token_make(struct req *r);
void account_token_page(struct req *r);
/* POST /settings/account/tokens/{id}/revoke */
void account_token_revoke(struct req *r);
#endif
