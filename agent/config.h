/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H
/* Configuration from the controller: stored, then acknowledged. */

struct agent;
struct Wire__Config;

/* A failure to store is logged; the version stays as it was, so the
 * controller sends the configuration again with the next hello. */
void config_apply(struct agent *a, const struct Wire__Config *c);
#endif
