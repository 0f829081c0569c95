# SPDX-License-Identifier: GPL-3.0-or-later
#
# cmake -DVERSION= -DSOURCE= -DOUT= -P write_version.cmake
# Works without git and outside a repository: the commit is then "unknown".
cmake_minimum_required(VERSION 3.25)
find_program(GIT git)

# The answer of one git command, empty when there is none.
function(ask_git out)
	set(answer)
	if(GIT AND EXISTS ${SOURCE}/.git)
		execute_process(COMMAND ${GIT} -C ${SOURCE} ${ARGN}
			OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE
			ERROR_QUIET)
	endif()
	set(${out} "${answer}" PARENT_SCOPE)
endfunction()

ask_git(commit describe --always --dirty --abbrev=12 --exclude=*)
if(commit STREQUAL "")
	set(commit unknown)
endif()

set(epoch "$ENV{SOURCE_DATE_EPOCH}")
if(epoch STREQUAL "")
	ask_git(epoch log -1 --format=%ct)
endif()
set(date unknown)
if(NOT epoch STREQUAL "")
	set(ENV{SOURCE_DATE_EPOCH} ${epoch})
	string(TIMESTAMP date "%Y-%m-%dT%H:%M:%SZ" UTC)
endif()

file(CONFIGURE OUTPUT ${OUT} CONTENT
"/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Written by cmake/write_version.cmake. */
#ifndef RM_VERSION_H
#define RM_VERSION_H
#define RM_VERSION \"@VERSION@\"
#define RM_COMMIT \"@commit@\"
#define RM_BUILD_DATE \"@date@\"
#endif
" @ONLY)
