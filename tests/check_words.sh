#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Banned calls, unfinished work, US spelling, names of the machine at hand.
. "$(dirname "$0")/check_lib.sh"

code=('*.c' '*.h')
prose=("${code[@]}" '*.md' '*.proto' '*.html' '*.mustache' '*.[1-8]')
text=("${prose[@]}" '*.sh' '*.py' '*.txt' '*.cmake' '*.js' '*.css' '*.json'
	'*.yaml' '*.service' 'bench' 'check' 'demo' 'tools/*' '.ci/*')

# Reports every line of the files (stdin) that matches the Perl expression,
# after what the second one matches has been taken away.
search()
{
	local expression=$1 allowed=$2 why=$3 hit

	while IFS= read -r hit; do
		finding "${hit%%$'\t'*}" "$why: ${hit#*$'\t'}"
	done < <(xargs -r -d '\n' perl -ne '
		BEGIN { ($want, $allow) = splice(@ARGV, 0, 2); }
		$line = $_;
		s/$allow//g if $allow ne "";
		print "$ARGV:$.\t$line" if /$want/;
		close(ARGV) if eof;' "$expression" "$allowed")
}

# Paths and archive hosts of this machine, found out here so that none is
# written down.
machine_names()
{
	pwd
	git rev-parse --path-format=absolute --git-common-dir 2>/dev/null |
		sed 's,/\.git$,,' || true
	printf '%s\n' "${RM_DEPS_DIR:-}" "${CCACHE_DIR:-}"
	case ${HOME:-/} in / | /root) ;; *) echo "$HOME" ;; esac
	apt-get indextargets --format '$(SITE)' 2>/dev/null |
		sed -E 's,^[a-z+]+://([^/]*@)?,,; s,/.*,,'
}

calls='strcpy|strcat|v?sprintf|strtok|atoi|gets|alloca|scanf|system|popen'
calls+='|localtime|ctime'
search "(?<![\\w.>])($calls)\\s*\\(" '' 'banned call' < <(files "${code[@]}")

search '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b|\bfor ''now\b' '' 'unfinished' < <(files "${text[@]}")

# Words that others chose: libraries, HTTP, CSS, restic.
foreign='\b(yaml|llhttp|uv|nghttp2|wolfSSL|wc|mdb|json|sodium|crypto|seccomp'
foreign+='|ZSTD|protobuf_c|archive)_\w+|\bNO_COLOR\b|[\w-]*-color\b|\bcolor-[\w-]+'
foreign+='|"[^" ]*"|`[^`]*`|<[^>]*>|config already initialized'
us='(?i)(?<![a-z])(colors?|colored|behaviors?|favor(ite)?s?|honor(s|ed)?'
us+='|centers?|centered|gray|canceled|canceling|labeled|modeled|catalog'
us+='|(author|initial|normal|organ|recogn|serial|synchron|minim|optim|custom'
us+='|summar|final|real)iz(e|es|ed|ing))(?![a-z])'
search "$us" "$foreign" 'not UK spelling' < <(files "${prose[@]}")

# A folder right below the root, such as a container's /src, tells nothing.
names=$(machine_names | sed -E '/^$/d; /^\/[^\/]*$/d' | sort -u | perl -pe '$_ = quotemeta' |
	sed 's/\\$//' | paste -sd '|')
search "(?<![\\w.-])($names)(?![\\w-])" '' 'a name of this machine' \
	< <(files "${text[@]}")
verdict
