/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_FAKE_SEED_REPOS_H
#define TESTS_FAKE_SEED_REPOS_H
/*
 * Repositories of the made-up fleet: DB2's is locked and waits for much, and
 * WEB shares it by S3 with admin credentials; EVIL's has hostile words.
 */
struct store_tx;

void seed_repos_put(struct store_tx *tx);
#endif
