#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shows that the other checks can fail: each gets a tree with one fault and
# must name it, and a tree without fault, which it must pass.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

# fresh: a tree with one module that all checks accept.
fresh()
{
	rm -rf "$tree"
	mkdir -p "$tree/lib/base" "$tree/lib/net" "$tree/render" \
		"$tree/build/bin" "$tree/docs/man" "$tree/www/static"
	cp "$here/../.clang-format" "$here/../.clang-tidy" "$tree"
	printf '%s\n' 'int rc_last(void);' >"$tree/lib/base/rc.h"
	printf '%s\n' '#include "lib/base/rc.h"' '' 'int' 'rc_last(void)' \
		'{' '	return 1;' '}' >"$tree/lib/base/rc.c"
}

# check <name>: runs it on the tree, output in $said.
check()
{
	said=$(GIT_DIR=/nonexistent "$here/check_$1.sh" "$tree" \
		"$tree/build" 2>&1)
}

# refuses <name> <what it must say>
refuses()
{
	if check "$1"; then
		echo "check_$1.sh passed a tree in which: $2"
		failed=1
	elif ! grep -qF -- "$2" <<<"$said"; then
		echo "check_$1.sh did not say \"$2\" but: $said"
		failed=1
	fi
}

# put <file> <line>...: writes the file, then see `refuses`.
put()
{
	local file=$tree/$1

	fresh
	shift
	printf '%s\n' "$@" >"$file"
}

fresh
for name in format tidy includes words sizes scripts man docs styles; do
	check "$name" || {
		echo "check_$name.sh refused a good tree: $said"
		failed=1
	}
done

put lib/base/x.c 'int  x;'
refuses format 'lib/base/x.c: run'

put lib/base/x.c 'int XyZ(int a);' 'int XyZ(int a)' '{' '	return a;' '}'
refuses tidy "invalid case style for function 'XyZ'"

put lib/base/x.c '#include "lib/net/y.h"'
touch "$tree/lib/net/y.h"
refuses includes 'lib/base must not include lib/net/y.h'
put lib/base/x.c '#include <uv.h>'
refuses includes 'uv.h has its own module'
put lib/base/x.c '#include "rc.h"'
refuses includes 'from the root'
put lib/base/x.h 'size_t x(void);'
refuses includes 'lib/base/x.h: does not compile alone'

put lib/base/x.c 'int a = ato''i("1");'
refuses words 'lib/base/x.c:1: banned call'
put lib/base/x.c '' '/* TO''DO: more */'
refuses words 'lib/base/x.c:2: unfinished'
put lib/base/x.c '/* The beha''vior of it. */'
refuses words 'not UK spelling'
put lib/base/x.c "/* $tree */"
refuses words 'a name of this machine'

# Many lines from one word each.
# shellcheck disable=SC2046
put lib/base/x.c $(yes 'int;' | head -n 801)
refuses sizes '801 lines'
# shellcheck disable=SC2046
put lib/base/x.c 'void x(void)' '{' $(yes 'x();' | head -n 71) '}'
refuses sizes 'function of 71 lines'

put docs/man/x.1 '.Dd today' '.Dt X 1' '.Os' '.Sh NAME' '.Bl'
refuses man 'docs/man/x.1'

put docs/automation.md '`known`'
mkdir "$tree/agent"
printf '%s\n' '' 'err_code(&e, RC_IO,' '"unknown", "x");' >"$tree/agent/x.c"
refuses docs "agent/x.c:2: 'unknown' is not explained"
put docs/automation.md '| cause | |' '| `lost` | |'
refuses docs "no program knows the cause 'lost'"

put www/static/style.css '.lost { color:red }'
refuses styles '.lost is worn by nothing'
# shellcheck disable=SC2046
put www/static/style.css $(yes 'p { }' | head -n 9000)
refuses styles 'more than 33500'

put check '#!/bin/bash' 'cd $1'
refuses scripts 'check:2:'

put render/main.c 'int execv(const char *, char *const *);' \
	'int main(void) { return execv("a", 0); }'
gcc -O0 -no-pie -Wl,-z,norelro "$tree/render/main.c" \
	-o "$tree/build/bin/restic-manager-render"
refuses links 'links execv'
gcc -shared -fPIC -x c -o "$tree/build/librm_vault.a" - <<<'int main(void);
	int main(void) { return 0; }'
refuses links 'links main, but the renderer never sees a secret'
refuses links 'is not a PIE'
refuses links 'has no RELRO'
put render/main.c 'int main(void) { return 0; }'
refuses links 'is not built'
gcc -pie -fPIE -Wl,-z,relro,-z,now "$tree/render/main.c" \
	-o "$tree/build/bin/restic-manager-render"
check links || {
	echo "check_links.sh refused a good program: $said"
	failed=1
}
exit $failed
