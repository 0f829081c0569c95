#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a program must never be able to do is not linked into it, and every
# program is hardened.
. "$(dirname "$0")/check_lib.sh"

# program: symbols it must not have, as an expression, or as the library whose
# own they are: because
table="
render: librm_vault.a: the renderer never sees a secret
render: librm_net.a: the renderer has no network
render: (wolfSSL|wc|nghttp2|llhttp|uv|curl)_.*: the renderer has no network
render: f?exec[vl]p?e?|execveat|posix_spawnp?|system|popen: it runs nothing
agent: librm_vault.a: the vault is the controller's
agent: librm_store.a: the store is the controller's
agent: mdb_.*: the store is the controller's
controller/cli: f?exec[vl]p?e?|execveat|posix_spawnp?|system|popen: it runs nothing
"

# symbols <nm options and file>: their names, one a line.
symbols()
{
	nm "$@" | awk 'NF > 1 { print $NF }' | sed 's/@.*//' | sort -u
}

# forbidden <program> <expression or library>: those of them it has.
forbidden()
{
	case $2 in
	*.a) [ ! -f "$build/$2" ] || comm -12 <(symbols "$1") \
		<(symbols --defined-only -g "$build/$2") ;;
	*) symbols "$1" | grep -Ex "$2" || true ;;
	esac
}

# check_hardening <program>: PIE, read-only relocations, no executable stack.
check_hardening()
{
	local headers

	headers=$(readelf -hldW "$1")
	grep -q 'Type: *DYN' <<<"$headers" || finding "$1" "is not a PIE"
	grep -q 'GNU_RELRO' <<<"$headers" || finding "$1" "has no RELRO"
	grep -Eq 'BIND_NOW|Flags:.*NOW' <<<"$headers" ||
		finding "$1" "binds lazily"
	grep -Eq 'GNU_STACK.* RW ' <<<"$headers" ||
		finding "$1" "has an executable stack"
}

# folder: program
programs='
controller: restic-manager-controller
agent: restic-manager-agent
render: restic-manager-render
controller/cli: restic-manager
'
while IFS=': ' read -r folder name; do
	[ -n "$folder" ] && [ -f "$folder/main.c" ] || continue
	program=$build/bin/$name
	if [ ! -x "$program" ]; then
		finding "$program" "is not built"
		continue
	fi
	check_hardening "$program"
	while IFS=: read -r who what why; do
		[ "$who" = "$folder" ] || continue
		while IFS= read -r symbol; do
			finding "$program" "links $symbol, but$why"
		done < <(forbidden "$program" "${what# }")
	done <<<"$table"
done <<<"$programs"
verdict
