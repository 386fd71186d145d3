# fathom_module(NAME SOURCES a.cpp … USES core ops … [LINKS fmt::fmt …])
# One static library per folder of sim/. USES is the folder's whole world: the `layers` test compares the includes
# of every file with it, so an arrow that is not declared here fails by name.
define_property(GLOBAL PROPERTY FATHOM_MODULES BRIEF_DOCS "names of all modules" FULL_DOCS "names of all modules")

add_library(fathom_warnings INTERFACE)
target_compile_options(fathom_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers)
target_compile_features(fathom_warnings INTERFACE cxx_std_20)

function(fathom_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LINKS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "fathom_module(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(fathom_${name} STATIC ${arg_SOURCES})
  add_library(fathom::${name} ALIAS fathom_${name})
  target_include_directories(fathom_${name} PUBLIC ${PROJECT_SOURCE_DIR}/sim)
  list(TRANSFORM arg_USES PREPEND fathom:: OUTPUT_VARIABLE used)
  target_link_libraries(fathom_${name} PUBLIC ${used} PRIVATE fathom_warnings ${arg_LINKS})
  target_compile_features(fathom_${name} PUBLIC cxx_std_20)
  set_property(GLOBAL APPEND PROPERTY FATHOM_MODULES ${name})
  set_property(GLOBAL PROPERTY FATHOM_USES_${name} "${arg_USES}")
endfunction()
