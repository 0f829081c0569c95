# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every library that is not ours, as dep_<name>.  docs/dependencies.md says why
# each is there; tools/install-deps installs them.
#
# A program with the property RM_STATIC takes the archive of a library where
# there is one: it runs on hosts that have nothing but a C library.
find_package(PkgConfig REQUIRED)
set(RM_GEN_DIR ${CMAKE_BINARY_DIR}/gen)

function(rm_pkg name module)
	pkg_check_modules(${name} REQUIRED IMPORTED_TARGET QUIET ${module})
	list(GET ${name}_LIBRARIES 0 base)
	find_library(RM_ARCHIVE_${name} NAMES lib${base}.a lib${base}_a.a
		HINTS ${${name}_LIBRARY_DIRS} ${${name}_LIBDIR})
	mark_as_advanced(RM_ARCHIVE_${name})
	add_library(dep_${name} INTERFACE)
	if(RM_ARCHIVE_${name})
		set(static "$<BOOL:$<TARGET_PROPERTY:RM_STATIC>>")
		target_include_directories(dep_${name} SYSTEM INTERFACE
			${${name}_INCLUDE_DIRS})
		target_link_libraries(dep_${name} INTERFACE
			"$<IF:${static},${RM_ARCHIVE_${name}},PkgConfig::${name}>")
	else()
		target_link_libraries(dep_${name} INTERFACE PkgConfig::${name})
	endif()
endfunction()

rm_pkg(sodium libsodium>=1.0.18)
rm_pkg(jansson jansson>=2.14)
rm_pkg(yaml yaml-0.1>=0.2.5)
rm_pkg(seccomp libseccomp>=2.5.4)
rm_pkg(protobuf_c libprotobuf-c>=1.4.1)
rm_pkg(uv libuv>=1.44.2)
rm_pkg(nghttp2 libnghttp2>=1.52.0)
rm_pkg(lmdb lmdb>=0.9.24)
rm_pkg(zstd libzstd>=1.5.4)
rm_pkg(curl libcurl>=7.88.0)
rm_pkg(cmocka cmocka>=1.1.5)

# llhttp comes as C sources; Debian ships them with the Node.js package.
set(RM_LLHTTP_SRC /usr/share/llhttp CACHE PATH "Folder of llhttp's C files")
set(RM_LLHTTP_INC /usr/share/include/llhttp CACHE PATH "Folder of llhttp.h")
if(NOT EXISTS ${RM_LLHTTP_SRC}/llhttp.c)
	message(FATAL_ERROR "${RM_LLHTTP_SRC}/llhttp.c: missing. "
		"Install node-llhttp (tools/install-deps does).")
endif()
add_library(dep_llhttp STATIC ${RM_LLHTTP_SRC}/api.c
	${RM_LLHTTP_SRC}/http.c ${RM_LLHTTP_SRC}/llhttp.c)
target_link_libraries(dep_llhttp PRIVATE rm_flags_foreign)
target_compile_options(dep_llhttp PRIVATE -w)
target_include_directories(dep_llhttp SYSTEM PUBLIC ${RM_LLHTTP_INC})

include(RmWolfssl)
