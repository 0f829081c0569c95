# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Shared by the check_*.sh scripts.  Each is called as
#     check_<x>.sh [source folder [build folder]]
# prints one line "file:line: what is wrong" a finding and fails if there is
# one.  Sourcing this sets $build and enters the source folder.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/..}"
# Read by those checks that need a build.
# shellcheck disable=SC2034
build=${2:-build/dev}
findings=0

# Prints the project's files whose name matches one of the patterns.
# Without git, or outside a repository, every file that is not built counts.
files()
{
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@"
		return
	fi
	local pattern tests=()
	for pattern in "$@"; do
		case $pattern in
		*/*) tests+=(-o -path "./$pattern") ;;
		*) tests+=(-o -name "$pattern") ;;
		esac
	done
	find . \( -path ./build -o -name .git \) -prune -o \
		-type f \( "${tests[@]:1}" \) -printf '%P\n'
}

# finding <place> <what is wrong>
finding()
{
	echo "$1: $2"
	findings=$((findings + 1))
}

# Ends the script.
verdict()
{
	[ "$findings" -eq 0 ] || {
		echo "$(basename "$0"): $findings finding(s)"
		exit 1
	}
	exit 0
}
