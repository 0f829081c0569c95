# SPDX-License-Identifier: GPL-3.0-or-later
#
# Language level, warnings, hardening and sanitizers.  Everything hangs on two
# interface targets: rm_flags for our own code, rm_flags_foreign for generated
# and vendored C, which keeps the hardening but not the warnings.
include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)

# Assertions stay in every build type, so NDEBUG is never defined.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE Release)
endif()

find_program(RM_CCACHE ccache)
mark_as_advanced(RM_CCACHE)
if(RM_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
	set(CMAKE_C_COMPILER_LAUNCHER ${RM_CCACHE})
endif()

set(rm_warnings
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
	-Wformat=2 -Wundef -Wvla -Walloca -Wcast-align
	-Wpointer-arith -Wwrite-strings -Wstrict-prototypes
	-Wold-style-definition -Wmissing-prototypes
	-Wdeclaration-after-statement -Wimplicit-fallthrough
	-Wdouble-promotion -Wnull-dereference)
set(rm_hardening
	-fstack-protector-strong -fstack-clash-protection
	-fstrict-flex-arrays=3 -fno-strict-aliasing
	-fno-delete-null-pointer-checks)

# -Wcast-qual is for gcc alone: clang also reports it inside the system
# headers' macros, and protobuf-c's initialisers for strings cast const away.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	list(APPEND rm_warnings -Wcast-qual -Wlogical-op -Wduplicated-cond
		-Wduplicated-branches -Wjump-misses-init -Wformat-signedness)
else()
	list(APPEND rm_warnings -Wcomma -Wunreachable-code-aggressive
		-Wmissing-variable-declarations)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	list(APPEND rm_hardening -mbranch-protection=standard)
else()
	list(APPEND rm_hardening -fcf-protection=full)
endif()
# Sanitizers grow frames and must see uninitialised memory as it is.
if(NOT RM_SANITIZE)
	list(APPEND rm_warnings -Wframe-larger-than=8192)
	list(APPEND rm_hardening -ftrivial-auto-var-init=zero)
endif()

# Keeps in `out` the flags of the list that this compiler knows.
function(rm_probe_flags out)
	set(known)
	foreach(flag IN LISTS ARGN)
		string(MAKE_C_IDENTIFIER "rm_has${flag}" var)
		set(CMAKE_REQUIRED_FLAGS -Werror)
		set(CMAKE_REQUIRED_QUIET ON)
		check_c_compiler_flag(${flag} ${var})
		if(${var})
			list(APPEND known ${flag})
		endif()
	endforeach()
	set(${out} ${known} PARENT_SCOPE)
endfunction()

rm_probe_flags(rm_warnings_known ${rm_warnings})
rm_probe_flags(rm_hardening_known ${rm_hardening})

add_library(rm_flags_foreign INTERFACE)
# Messages and debug information name files from the root of the sources,
# wherever they were built.
target_compile_options(rm_flags_foreign INTERFACE -fPIE
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}/= ${rm_hardening_known})
target_compile_definitions(rm_flags_foreign INTERFACE _GNU_SOURCE)
target_link_options(rm_flags_foreign INTERFACE
	-pie -Wl,-z,relro,-z,now,-z,noexecstack)

if(RM_SANITIZE)
	set(sanitizers_address address,undefined)
	set(sanitizers_thread thread)
	if(NOT DEFINED sanitizers_${RM_SANITIZE})
		message(FATAL_ERROR
			"RM_SANITIZE=${RM_SANITIZE}: use address or thread")
	endif()
	set(rm_sanitizer_flags -fsanitize=${sanitizers_${RM_SANITIZE}}
		-fno-sanitize-recover=all -fno-omit-frame-pointer)
	target_compile_options(rm_flags_foreign INTERFACE
		${rm_sanitizer_flags})
	target_link_options(rm_flags_foreign INTERFACE ${rm_sanitizer_flags})
	target_compile_definitions(rm_flags_foreign INTERFACE RM_SANITIZED=1)
else()
	target_compile_options(rm_flags_foreign INTERFACE
		-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(RM_FUZZ)
	target_compile_options(rm_flags_foreign INTERFACE
		-fsanitize=fuzzer-no-link)
endif()

add_library(rm_flags INTERFACE)
target_link_libraries(rm_flags INTERFACE rm_flags_foreign)
target_compile_options(rm_flags INTERFACE ${rm_warnings_known}
	$<$<BOOL:${RM_WERROR}>:-Werror>)
target_include_directories(rm_flags INTERFACE ${CMAKE_SOURCE_DIR})
