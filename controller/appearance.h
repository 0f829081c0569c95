/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_APPEARANCE_H
#define CONTROLLER_APPEARANCE_H
/*
 * How a browser wants its pages: light or dark, roomy or compact rows.  Kept
 * in cookies of the browser, so it is nobody else's business; the pages'
 * script sets the same ones.
 */
struct req;

const char *appearance_theme(const struct req *r);   /* "", light, dark */
const char *appearance_density(const struct req *r); /* "", compact */
/* POST /appearance: theme (light, dark, toggle) or density (compact, normal);
 * leads back to where the form was. */
void appearance_set(struct req *r);
/* The path and query of the page the request came from, or "/".  Never
 * another site. */
const char *appearance_back(struct req *r);
#endif
