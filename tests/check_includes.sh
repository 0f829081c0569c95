#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Includes point down the layers, libraries are included where they belong and
# nowhere else, and every header compiles alone.
. "$(dirname "$0")/check_lib.sh"

# folder | what it may include of ours: folders, single headers.  render/pages.h
# is what controller and renderer agreed on, so both may read it.
layers='
lib/base   | lib/base
lib/net    | lib/base lib/net proto version.h
lib/store  | lib/base lib/store proto version.h
spool      | lib/base spool proto
controller | lib/base lib/net lib/store proto spool controller version.h
controller | render/pages.h
controller/cli | lib/base lib/net lib/store proto spool controller/cli version.h
agent      | lib/base lib/net proto spool agent version.h
render     | lib/base lib/store proto spool render version.h
'
# header | files that may include it (a pattern)
owners='
curl/*        | controller/cli/http.* controller/notify.*
uv.h          | lib/net/* controller/server.* controller/op.* controller/sse.*
uv.h          | controller/page*.* controller/ticker.* controller/notify.*
uv.h          | controller/oidc.* controller/agents.* agent/uplink.*
uv.h          | agent/job.* agent/proc.* agent/scheduler.*
nghttp2/*     | lib/net/h2*
llhttp.h      | lib/net/h1*
wolfssl/*     | lib/net/tls*
sodium.h      | lib/base/crypt*
lmdb.h        | lib/store/*
jansson.h     | lib/base/json*
yaml.h        | lib/base/conf*
seccomp.h     | lib/base/sandbox*
zstd.h        | spool/*
'

# rows <table> <name>: $found becomes the right-hand sides of the rows that
# match the name.  Each answer is kept: files ask the same again and again.
declare -A answers
rows()
{
	local left right

	if [ -n "${answers["$1$2"]+set}" ]; then
		found=${answers["$1$2"]}
		return
	fi
	found=
	while IFS='|' read -r left right; do
		left=${left// /}
		# The left side is a pattern on purpose.
		# shellcheck disable=SC2053
		[ -z "$left" ] || [[ $2 != $left ]] || found+=" $right"
	done <<<"$1"
	answers["$1$2"]=$found
}

# owned <file> <header>: may the file include that library?
owned()
{
	local patterns pattern

	rows "$owners" "$2"
	read -ra patterns <<<"$found"
	[ ${#patterns[@]} -gt 0 ] || return 0
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053
		[[ $1 != $pattern ]] || return 0
	done
	return 1
}

# check_include <file> <line> <header>
check_include()
{
	local file=$1 header=$3

	rows "$layers" "${file%/*}"
	case $header in
	proto/*.pb-c.h | version.h | lib/* | spool/* | controller/* | agent/* | \
		render/*)
		case " $found " in
		*" ${header%/*} "* | *" $header "*) ;;
		*) finding "$file:$2" "${file%/*} must not include $header" ;;
		esac
		;;
	*)
		owned "$file" "$header" ||
			finding "$file:$2" "$header has its own module," \
				"use that"
		;;
	esac
	case $file:$header in
	render/*:lib/store/vault_*.h)
		finding "$file:$2" "the renderer must not include $header" ;;
	esac
}

while IFS=: read -r file line text; do
	header=${text#*[<\"]}
	header=${header%%[>\"]*}
	case $text in
	*\"*.pb-c.h\" | *\"version.h\") ;;
	*\"*) [ -f "$header" ] ||
		finding "$file:$line" "write \"$header\" from the root" ;;
	esac
	check_include "$file" "$line" "$header"
done < <(files 'lib/*.[ch]' 'spool/*.[ch]' 'controller/*.[ch]' 'agent/*.[ch]' \
	'render/*.[ch]' | xargs -r -d '\n' grep -nE '^#[[:space:]]*include ' \
	/dev/null)

# Header search paths as the build has them.
mapfile -t paths < <(grep -ohE -- '-(isystem|I) ?[^ "]+' \
	"$build/compile_commands.json" 2>/dev/null | sort -u | tr ' ' '\n')
while IFS= read -r header; do
	echo "#include \"$header\"" | gcc -std=c17 -D_GNU_SOURCE -I. \
		"${paths[@]}" -Wall -Wextra -Werror -fsyntax-only -x c - ||
		finding "$header" "does not compile alone"
done < <(files '*.h')
verdict
