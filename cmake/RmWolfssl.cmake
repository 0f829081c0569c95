# SPDX-License-Identifier: GPL-3.0-or-later
#
# dep_wolfssl.  "build" takes the static library that tools/build-wolfssl makes
# from Debian's source package.  "system" takes libwolfssl-dev, which needs
# several times the memory and accepts a NULL cipher unless a list is set.
# wolfssl/options.h decides struct sizes, so the headers come from the same
# build as the library and are searched before those of the system.
add_library(dep_wolfssl INTERFACE)

if(RM_WOLFSSL STREQUAL "build")
	execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/build-wolfssl
		OUTPUT_VARIABLE wolfssl_dir OUTPUT_STRIP_TRAILING_WHITESPACE
		RESULT_VARIABLE result)
	if(NOT result EQUAL 0)
		message(FATAL_ERROR "tools/build-wolfssl failed, see above")
	endif()
	message(STATUS "wolfSSL: ${wolfssl_dir}")
	target_link_libraries(dep_wolfssl INTERFACE
		${wolfssl_dir}/lib/libwolfssl.a m)
	target_include_directories(dep_wolfssl SYSTEM INTERFACE
		${wolfssl_dir}/include)
elseif(RM_WOLFSSL STREQUAL "system")
	pkg_check_modules(wolfssl REQUIRED IMPORTED_TARGET QUIET
		wolfssl>=5.5.4)
	message(STATUS "wolfSSL: the system's ${wolfssl_VERSION}")
	target_link_libraries(dep_wolfssl INTERFACE PkgConfig::wolfssl)
	target_compile_definitions(dep_wolfssl INTERFACE RM_WOLFSSL_SYSTEM=1)
else()
	message(FATAL_ERROR "RM_WOLFSSL=${RM_WOLFSSL}: use build or system")
endif()
