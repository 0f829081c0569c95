#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The stylesheet stays small, and has no class that nothing wears.
. "$(dirname "$0")/check_lib.sh"

sheet=www/static/style.css
most=33500

# classes: those the stylesheet has a selector for, one a line.
classes()
{
	sed -E 's|/\*[^*]*\*/||g; s|"[^"]*"||g' "$sheet" |
		grep -oE '\.[A-Za-z][A-Za-z0-9_-]*' | cut -c2- | sort -u
}

# words: all of the files in which an element can be given a class.
words()
{
	files 'www/templates/*.mustache' 'www/static/app.js' 'render/*.c' \
		'controller/page.c' | xargs -r cat |
		grep -oE '[A-Za-z][A-Za-z0-9_-]*' | sort -u
}

[ -f "$sheet" ] || verdict
size=$(wc -c <"$sheet")
[ "$size" -le "$most" ] ||
	finding "$sheet" "$size bytes, more than $most: find what rules share"
# The days of a host have k- and the letter of what happened.
while IFS= read -r class; do
	finding "$sheet" ".$class is worn by nothing"
done < <(comm -23 <(classes) <(words) | grep -vxE 'k-[a-z]')
verdict
