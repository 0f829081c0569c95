/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PUBLISH_H
#define CONTROLLER_PUBLISH_H
/*
 * What hosts fetch to install the agent: programs and scripts from
 * data_dir/agent-binaries and data_dir/install, else from the same folders
 * of bundled_assets_dir.  Files may be replaced (by rename) while the
 * controller runs.  One is held in memory once, while it is being sent.
 * Loop thread; files are read in the pool.
 */
struct publish;
struct req;

struct publish *publish_new(void);
void publish_free(struct publish *p);

void publish_install(struct req *r); /* GET /install/{file} */
void publish_binary(struct req *r);  /* GET /agent/binary?os=&arch= */
/* GET /agent/binary.sha256?os=&arch=: a line for sha256sum -c */
void publish_checksum(struct req *r);
#endif
