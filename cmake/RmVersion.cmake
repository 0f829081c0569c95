# SPDX-License-Identifier: GPL-3.0-or-later
#
# version.h: RM_VERSION, RM_COMMIT, RM_BUILD_DATE.  The target runs on every
# build but rewrites the header only when a value changed, so only the files
# that include it are compiled again, and only then.
add_custom_target(rm_version
	COMMAND ${CMAKE_COMMAND} -DVERSION=${PROJECT_VERSION}
		-DSOURCE=${CMAKE_SOURCE_DIR} -DOUT=${RM_GEN_DIR}/version.h
		-P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake
	BYPRODUCTS ${RM_GEN_DIR}/version.h
	COMMENT "Checking version.h" VERBATIM)
