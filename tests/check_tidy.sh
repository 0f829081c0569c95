#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# clang-tidy over our own code (tests excepted).  A file that passed is not
# looked at again until it, a header it includes or .clang-tidy changes.
. "$(dirname "$0")/check_lib.sh"

cache=build/tidy-cache
mkdir -p "$cache"
mapfile -t paths < <(grep -ohE -- '-(isystem|I) ?[^ "]+' \
	"$build/compile_commands.json" 2>/dev/null | sort -u |
	sed "s,$PWD/,," | tr ' ' '\n')
flags=(-std=c17 -D_GNU_SOURCE -I. "${paths[@]}")

# tidy <flags...> <file>: one file, unless its hash is in the cache.  The hash
# is of the file as the preprocessor sees it, comments included.
tidy()
{
	local file=${!#} flags=("${@:1:$#-1}") key

	key=$(
		{
			cat .clang-tidy
			clang-14 "${flags[@]}" -E -C "$file"
		} | sha256sum | cut -d' ' -f1
	)
	[ ! -e "$cache/$key" ] || return 0
	clang-tidy-14 --quiet "$file" -- "${flags[@]}" 2>/dev/null || {
		echo "$file: clang-tidy is not content"
		return 1
	}
	touch "$cache/$key"
}
export -f tidy
export cache

files 'lib/*.c' 'spool/*.c' 'controller/*.c' 'agent/*.c' 'render/*.c' |
	xargs -r -d '\n' -P "$(nproc)" -I{} \
		bash -c 'tidy "$@"' tidy "${flags[@]}" {} ||
	finding clang-tidy "findings above"
verdict
