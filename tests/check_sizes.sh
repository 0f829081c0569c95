#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A file has at most 800 lines (tests excepted), a function at most 70.
. "$(dirname "$0")/check_lib.sh"

while IFS= read -r file; do
	lines=$(wc -l <"$file")
	case $file in
	tests/*) ;;
	*) [ "$lines" -le 800 ] ||
		finding "$file" "$lines lines, more than 800: split it by idea" ;;
	esac
	while IFS= read -r long; do
		finding "$file:${long%% *}" "function of ${long##* } lines," \
			"more than 70"
	done < <(awk '
		/^\{/ { start = NR }
		/^\}/ && start {
			if (NR - start - 1 > 70)
				print start, NR - start - 1
			start = 0
		}' "$file")
done < <(files '*.c' '*.h')
verdict
