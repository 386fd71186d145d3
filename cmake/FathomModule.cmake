# fathom_module(NAME SOURCES a.cpp … USES core ops … [LINKS Threads::Threads …])
# One static library per folder of sim/. USES is the folder's whole world: the `layers` test compares
# the includes of every file with it, so an arrow that is not declared here fails by name. fmt and
# nlohmann-json are at hand in every module's sources, never in its headers.
include(GNUInstallDirs)
define_property(GLOBAL PROPERTY FATHOM_MODULES BRIEF_DOCS "names of all modules"
  FULL_DOCS "names of all modules")

add_library(fathom_warnings INTERFACE)
target_compile_options(fathom_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers)
target_compile_features(fathom_warnings INTERFACE cxx_std_20)

# Parsing json.hpp costs seconds a file. The first target of a kind precompiles the headers that its
# sources include anyway, the others of that kind share the result.
option(FATHOM_PRECOMPILE "Precompile third-party headers" ON)
function(fathom_precompile target kind)
  if(NOT FATHOM_PRECOMPILE)
    return()
  endif()
  get_property(owner GLOBAL PROPERTY FATHOM_PRECOMPILED_${kind})
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
    set_property(GLOBAL PROPERTY FATHOM_PRECOMPILED_${kind} ${target})
  endif()
endfunction()

# Includes begin with the module's name ("core/units.hpp"), in the source tree and once installed; the
# exported target is fathom::NAME as in the build.
function(fathom_export target name scope)
  target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/sim>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/fathom>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS ${target} EXPORT fathomTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
endfunction()

# A module of templates: nothing to compile, the same rules for its includes.
function(fathom_header_module name)
  add_library(fathom_${name} INTERFACE)
  add_library(fathom::${name} ALIAS fathom_${name})
  list(TRANSFORM ARGN PREPEND fathom:: OUTPUT_VARIABLE used)
  fathom_export(fathom_${name} ${name} INTERFACE)
  target_link_libraries(fathom_${name} INTERFACE ${used})
  target_compile_features(fathom_${name} INTERFACE cxx_std_20)
endfunction()

function(fathom_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "fathom_module(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set_property(GLOBAL APPEND PROPERTY FATHOM_MODULES ${name})
  set_property(GLOBAL PROPERTY FATHOM_USES_${name} "${arg_USES}")
  if(NOT arg_SOURCES)
    fathom_header_module(${name} ${arg_USES})
    return()
  endif()
  add_library(fathom_${name} STATIC ${arg_SOURCES})
  add_library(fathom::${name} ALIAS fathom_${name})
  fathom_export(fathom_${name} ${name} PUBLIC)
  list(TRANSFORM arg_USES PREPEND fathom:: OUTPUT_VARIABLE used)
  # Headers name nlohmann/json_fwd.hpp, so whoever includes them needs its folder.
  target_link_libraries(fathom_${name} PUBLIC ${used} nlohmann_json::nlohmann_json
    PRIVATE $<BUILD_INTERFACE:fathom_warnings> fmt::fmt ${arg_LINKS})
  target_compile_features(fathom_${name} PUBLIC cxx_std_20)
  fathom_precompile(fathom_${name} modules <nlohmann/json.hpp> <fmt/format.h> <fmt/ranges.h>)
endfunction()

# fathom_loaded_module(NAME SOURCE LIBRARIES…): fathom_NAME.so beside the program, which opens it when
# it is asked for (core/modules.hpp) and runs without it.
function(fathom_loaded_module name source)
  add_library(fathom_${name} MODULE ${source})
  set_target_properties(fathom_${name} PROPERTIES PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_include_directories(fathom_${name} PRIVATE ${PROJECT_SOURCE_DIR}/sim)
  target_compile_features(fathom_${name} PRIVATE cxx_std_20)
  target_link_libraries(fathom_${name} PRIVATE ${ARGN})
  install(TARGETS fathom_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
