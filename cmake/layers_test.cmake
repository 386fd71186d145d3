# Compares every include below SIM_DIR with the modules' USES lists.
#   cmake -D SIM_DIR=sim -D TABLE=layers_table.cmake -P cmake/layers_test.cmake
# An include of a module that is neither the file's own nor in its USES fails by file, line and
# module; so does a header that drags a heavy library into every file that includes it.
cmake_minimum_required(VERSION 3.25)

foreach(variable SIM_DIR TABLE)
  if(NOT DEFINED ${variable})
    message(FATAL_ERROR "layers: ${variable} is not set; expected -D ${variable}=…")
  endif()
endforeach()
include(${TABLE})

set(complaints "")
set(include_pattern "^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]")
set(heavy_pattern "^(nlohmann/json\\.hpp|Eigen/.*|unsupported/Eigen/.*|CLI/.*|iostream)$")

# Lines are counted only for what is wrong: CMake has no cheap way to number all of them.
function(complain path line text)
  file(READ "${path}" content)
  string(FIND "${content}" "${line}" position)
  string(SUBSTRING "${content}" 0 ${position} before)
  string(REGEX MATCHALL "\n" newlines "${before}")
  list(LENGTH newlines number)
  math(EXPR number "${number} + 1")
  file(RELATIVE_PATH shown "${SIM_DIR}/.." "${path}")
  string(APPEND complaints "${shown}:${number}: ${text}\n")
  set(complaints "${complaints}" PARENT_SCOPE)
endfunction()

# check_include(PATH LINE MODULE): LINE is an include directive of PATH, a file of MODULE.
function(check_include path line module)
  if(NOT line MATCHES "${include_pattern}")
    return()
  endif()
  set(quote "${CMAKE_MATCH_1}")
  set(target "${CMAKE_MATCH_2}")
  if(path MATCHES "\\.hpp$" AND target MATCHES "${heavy_pattern}")
    complain("${path}" "${line}"
      "header of module ${module} includes ${target}; include it in a .cpp file")
  elseif(quote STREQUAL "\"" AND target MATCHES "^([^/]+)/")
    set(used "${CMAKE_MATCH_1}")
    if(NOT used IN_LIST FATHOM_MODULES)
      complain("${path}" "${line}"
        "module ${module} includes ${target}; ${used} is not a module")
    elseif(NOT used STREQUAL module AND NOT used IN_LIST FATHOM_USES_${module})
      complain("${path}" "${line}"
        "module ${module} includes ${target}; ${used} is not in its USES")
    endif()
  endif()
  set(complaints "${complaints}" PARENT_SCOPE)
endfunction()

# The table itself: a module may use only modules that come before it, so there are no cycles.
set(earlier "")
foreach(module IN LISTS FATHOM_MODULES)
  foreach(used IN LISTS FATHOM_USES_${module})
    if(NOT used IN_LIST earlier)
      string(APPEND complaints "sim/${module}: uses ${used}, which is not an earlier module\n")
    endif()
  endforeach()
  list(APPEND earlier ${module})
endforeach()

file(GLOB_RECURSE paths LIST_DIRECTORIES false "${SIM_DIR}/*.hpp" "${SIM_DIR}/*.cpp")
foreach(path IN LISTS paths)
  file(RELATIVE_PATH relative "${SIM_DIR}" "${path}")
  string(REGEX REPLACE "/.*" "" module "${relative}")
  if(NOT module IN_LIST FATHOM_MODULES)
    string(APPEND complaints
      "sim/${relative}: ${module} is not a module; give it a CMakeLists.txt\n")
    continue()
  endif()
  file(STRINGS "${path}" lines REGEX "^[ \t]*#[ \t]*include")
  foreach(line IN LISTS lines)
    check_include("${path}" "${line}" ${module})
  endforeach()
endforeach()

list(LENGTH paths files)
if(NOT complaints STREQUAL "")
  # A notice keeps its lines; the text of a fatal error is wrapped.
  message(NOTICE "${complaints}")
  message(FATAL_ERROR "layers: the lines above break the rules")
endif()
if(files EQUAL 0)
  message(FATAL_ERROR "layers: no files below ${SIM_DIR}")
endif()
message(STATUS "layers: ${files} files keep to their modules' USES")
