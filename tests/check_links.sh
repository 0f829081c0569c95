#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a program must never be able to do is not linked into it, and every
# program is hardened.
. "$(dirname "$0")/check_lib.sh"

# program: symbols it must not have: because
table="
render: vault_: the renderer never sees a secret
render: (wolfSSL|wc|tls)_: the renderer has no network
render: (nghttp2|llhttp|h1|h2|httpc|grpc|link)_: the renderer has no network
render: (uv|curl)_: the renderer has no network
render: (f?exec[vl]p?e?|execveat|posix_spawnp?|system|popen)$: it runs nothing
agent: vault_: the vault is the controller's
agent: mdb_: the store is the controller's
"

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

for folder in controller agent render; do
	[ -f "$folder/main.c" ] || continue
	program=$build/bin/restic-manager-$folder
	if [ ! -x "$program" ]; then
		finding "$program" "is not built"
		continue
	fi
	check_hardening "$program"
	while IFS=: read -r who symbols why; do
		[ "$who" = "$folder" ] || continue
		while IFS= read -r symbol; do
			finding "$program" "links $symbol, but$why"
		done < <(nm "$program" | awk '{ print $NF }' |
			sed 's/@.*//' | grep -E "^${symbols# }" | sort -u)
	done <<<"$table"
done
verdict
