#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every manual page is clean mdoc.
. "$(dirname "$0")/check_lib.sh"

while IFS= read -r file; do
	mandoc -T lint -W warning "$file" ||
		finding "$file" "mandoc is not content"
done < <(files 'docs/man/*.[1-8]')
verdict
