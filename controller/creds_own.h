/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CREDS_OWN_H
#define CONTROLLER_CREDS_OWN_H
/*
 * Between the files of creds: creds.c checks and seals, creds_slot.c opens
 * slots, creds_op.c edits them, creds_api.c and creds_page.c ask for it.
 */
#include "controller/creds.h"

/* As stored, in the vault transaction's arena; creds_wipe() it.  RC_NOTFOUND:
 * the slot is empty. */
MUST_USE enum rc creds_open_slot(struct store_tx *vault,
    const uint8_t key[CRYPT_KEY_SIZE], const struct ulid *host,
    enum creds_slot slot, struct Rec__RepoSecret **out);

/* Empties the admin slot; what is empty stays so, without a word. */
struct creds_removal {
	struct ulid host;
	bool removed; /* out */
};
enum rc creds_delete_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* Submits creds_put_op for r; secrets of from are wiped.  done gets op->in:
 * the edit. */
void creds_submit(struct req *r, const struct creds_edit *from,
    void (*done)(struct req *r, struct op *op));
void creds_submit_removal(struct req *r,
    void (*done)(struct req *r, struct op *op));
/* After the commit: agent, pages and courier hear of it. */
void creds_tell(struct controller *c, const struct creds_edit *ed);
#endif
