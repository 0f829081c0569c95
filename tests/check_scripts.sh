#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every shell script passes shellcheck.
. "$(dirname "$0")/check_lib.sh"

while IFS= read -r file; do
	head -n 1 "$file" | grep -Eq '^#!.*sh$' || continue
	shellcheck -x -P SCRIPTDIR -S warning -f gcc "$file" ||
		finding "$file" "shellcheck is not content"
done < <(files '*.sh' bench check demo 'tools/*' '.ci/*' 'www/*' 'systemd/*')
verdict
