/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/appearance.h"

#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/req.h"

#define THEME_COOKIE "rm_theme"
#define DENSITY_COOKIE "rm_density"

enum {
	YEAR_S = 31536000,
	BACK_MAX = 4096
};

const char *
appearance_theme(const struct req *r)
{
	struct str theme = auth_cookie(r, THEME_COOKIE);

	if (str_eqz(theme, "light"))
		return "light";
	return str_eqz(theme, "dark") ? "dark" : "";
}

const char *
appearance_density(const struct req *r)
{
	return str_eqz(auth_cookie(r, DENSITY_COOKIE), "compact") ? "compact"
	                                                          : "";
}

const char *
appearance_back(struct req *r)
{
	struct str from = exch_field(r->x, "referer"), scheme, rest, host;

	if (from.n == 0 || from.n > BACK_MAX ||
	    !str_cut(from, ':', &scheme, &rest) || !str_starts(rest, STR("//")))
		return "/";
	rest = str_sub(rest, 2, rest.n);
	if (!str_cut(rest, '/', &host, &rest))
		return "/";
	/* "//x" would be another site. */
	if (rest.n > 0 && (rest.p[0] == '/' || rest.p[0] == '\\'))
		return "/";
	str_cut(rest, '#', &rest, &host);
	return arena_printf(&r->arena, "/%.*s", STR_ARG(rest));
}

/* Not HttpOnly: the script changes them too, at once. */
static void
keep(struct req *r, const char *name, const char *value)
{
	req_add_field(r, "set-cookie",
	    arena_printf(&r->arena, "%s=%s; Path=/; Max-Age=%d; SameSite=Lax%s",
	        name, value, *value != '\0' ? YEAR_S : 0,
	        r->ctl->settings.cookie_secure ? "; Secure" : ""));
}

void
appearance_set(struct req *r)
{
	struct str theme = req_field(r, "theme");
	struct str density = req_field(r, "density");
	bool dark = strcmp(appearance_theme(r), "dark") == 0;

	if (str_eqz(theme, "toggle"))
		keep(r, THEME_COOKIE, dark ? "light" : "dark");
	else if (str_eqz(theme, "light") || str_eqz(theme, "dark"))
		keep(r, THEME_COOKIE,
		    str_eqz(theme, "dark") ? "dark" : "light");
	if (str_eqz(density, "compact"))
		keep(r, DENSITY_COOKIE, "compact");
	else if (str_eqz(density, "normal"))
		keep(r, DENSITY_COOKIE, "");
	req_redirect(r, appearance_back(r));
}
