#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every systemd unit is understood by systemd, down to its last key.
. "$(dirname "$0")/check_lib.sh"

command -v systemd-analyze >/dev/null || {
	echo "systemd-analyze: not here, units not checked"
	exit 0
}
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT

while IFS= read -r file; do
	copy=$copies/$(basename "$file")
	# The programs need not be installed where this runs.
	sed -E 's,^(Exec[A-Za-z]+=[-@:+!]*)/[^ ]+,\1/bin/true,' "$file" >"$copy"
	if ! said=$(systemd-analyze verify --man=no "$copy" 2>&1) ||
		[ -n "$said" ]; then
		finding "$file" "${said//"$copies/"/}"
	fi
done < <(files 'systemd/*.service' 'systemd/*.socket' 'systemd/*.timer')
verdict
