/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H
/*
 * Everything the controller is, made and wired in main.c.  Each member
 * belongs to the module whose name it bears; others call that module.
 * Loop thread.  Ops on the store thread touch only `settings` and `key`,
 * which do not change after start.
 */
#include <stdint.h>

#include "controller/settings.h"
#include "lib/base/crypt.h"

struct controller {
	struct settings settings;
	uint8_t key[CRYPT_KEY_SIZE];  /* secret.key */
	uint8_t pin[CRYPT_HASH_SIZE]; /* SHA-256 of our certificate's SPKI */
	uint64_t template_build;      /* part of ETags */
	struct loop *loop;
	struct store *state;
	struct store *vault;
	struct store *live;
	struct op_queue *ops;
	struct offences *offences; /* who goes over a limit */
	struct quota *quota;       /* how much one may have */
	struct server *server;     /* listeners */
	struct page_client *pages; /* connection to the renderer */
	struct sse *sse;           /* event streams of browsers */
	struct asset_set *assets;  /* www/static */
	struct publish *publish;   /* what hosts install */
	struct users *users;       /* bootstrap token, login throttle */
	struct tokens *tokens;     /* API tokens */
	struct shown *shown;       /* secrets that a page will show once */
	struct enrol *enrol;       /* tokens whose text is still shown */
	struct announce *announce; /* agents that wait for approval */
	struct agents *agents;     /* connected agents */
	struct ingest *ingest;     /* events in */
	struct courier *courier;   /* commands out */
	struct forget *forget;     /* hosts that were deleted */
	struct upkeep *upkeep;     /* repositories maintained */
	struct ticker *ticker;     /* periodic work */
	bool audit_verifying;      /* audit: one at a time */
	unsigned metrics_scrapes;  /* metrics: under way */
};
#endif
