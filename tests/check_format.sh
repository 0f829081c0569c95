#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every C file is formatted as .clang-format says.  One pinned version:
# others format differently.
. "$(dirname "$0")/check_lib.sh"

while IFS= read -r file; do
	clang-format-14 "$file" | cmp -s - "$file" ||
		finding "$file" "run clang-format-14 -i $file"
done < <(files '*.c' '*.h')
verdict
