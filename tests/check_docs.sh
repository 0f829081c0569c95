#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every code of a refusal and every cause of a job's end that the programs
# name is explained in docs/automation.md, and it explains no other cause.
# (The codes of the rc table, addresses and bodies: test_api_doc.c.)
. "$(dirname "$0")/check_lib.sh"

page=docs/automation.md

# Prints "file:line<tab>name" for each name the programs use.
named()
{
	files 'controller/*.c' 'agent/*.c' | xargs -r -d '\n' perl -0777 -ne '
		while (/\b(?:err_code|store_fail_code)\([^";]*"([a-z_]+)"
		    |\boutcome_set\([^";]*"[a-z]+",\s*"([a-z_]+)"
		    |\bcommand_tell_end\([^";]*"[a-z]+",\s*"([a-z_]+)"
		    |\b(?:cause|code)\s[=:]\s(?:pb_text\()?"([a-z_]+)"/gx) {
			$name = $1 // $2 // $3 // $4;
			$line = 1 + (substr($_, 0, $-[0]) =~ tr/\n//);
			print "$ARGV:$line\t$name\n";
		}'
}

[ -e "$page" ] || verdict
all=$(named)
while IFS=$'\t' read -r place name; do
	[ -n "$name" ] || continue
	grep -qF "\`$name\`" "$page" ||
		finding "$place" "'$name' is not explained in $page"
done <<<"$all"

# The first column of the table of causes.
while IFS= read -r cause; do
	cut -f 2 <<<"$all" | grep -qxF "$cause" ||
		finding "$page" "no program knows the cause '$cause'"
done < <(sed -n '/^| cause |/,/^$/p' "$page" | cut -d '|' -f 2 |
	grep -oE '`[a-z_]+`' | tr -d '`')
verdict
