# SPDX-License-Identifier: GPL-3.0-or-later
#
# rm_library(<name> SOURCES <globs> [EXCLUDE <globs>] LINK <targets>)
#   A static library, or an interface library while the folder is empty.
# rm_program(<short> [FOLDER <folder> NAME <name> DESTINATION <dir>]
#     LINK <targets>)
#   restic-manager-<short> from <short>/main.c, and rm_<short>_lib from the
#   folder's other files, which the tests link.

function(rm_library name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;EXCLUDE;LINK")
	file(GLOB sources CONFIGURE_DEPENDS ${arg_SOURCES})
	if(arg_EXCLUDE)
		file(GLOB excluded CONFIGURE_DEPENDS ${arg_EXCLUDE})
		list(REMOVE_ITEM sources ${excluded})
	endif()
	if(sources)
		add_library(${name} STATIC ${sources})
		target_link_libraries(${name} PRIVATE rm_flags
			PUBLIC ${arg_LINK})
		target_include_directories(${name} SYSTEM PRIVATE ${RM_GEN_DIR})
		add_dependencies(${name} rm_version)
	else()
		add_library(${name} INTERFACE)
		target_link_libraries(${name} INTERFACE ${arg_LINK})
	endif()
endfunction()

function(rm_program short)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER;NAME;DESTINATION"
		"LINK")
	set(folder ${short})
	set(name restic-manager-${short})
	set(destination sbin)
	if(arg_FOLDER)
		set(folder ${arg_FOLDER})
		set(name ${arg_NAME})
		set(destination ${arg_DESTINATION})
	endif()
	rm_library(rm_${short}_lib SOURCES ${folder}/*.c
		EXCLUDE ${folder}/main.c LINK ${arg_LINK})
	if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${folder}/main.c)
		return()
	endif()
	add_executable(${name} ${folder}/main.c)
	target_link_libraries(${name} PRIVATE rm_flags rm_${short}_lib)
	target_include_directories(${name} SYSTEM PRIVATE ${RM_GEN_DIR})
	add_dependencies(${name} rm_version)
	install(TARGETS ${name} RUNTIME DESTINATION ${destination})
endfunction()
