# fathom_wasm(MODULE ENTRY OUTPUT …): a module compiled to WebAssembly by Debian's emscripten, with
# all that it uses, for pages that compute as the program does. FATHOM_WASM: AUTO (where em++, node
# and node-acorn are), ON (or fail), OFF.
set(FATHOM_WASM AUTO CACHE STRING "Sliders in pages, by emscripten: AUTO, ON or OFF")
set_property(CACHE FATHOM_WASM PROPERTY STRINGS AUTO ON OFF)

# fathom_wasm_found(VARIABLE): whether there is a compiler, and what is missing in
# FATHOM_WASM_MISSING.
function(fathom_wasm_found variable)
  set(${variable} OFF PARENT_SCOPE)
  if(FATHOM_WASM STREQUAL OFF)
    return()
  endif()
  find_program(FATHOM_EMXX em++ DOC "C++ compiler of emscripten")
  find_program(FATHOM_NODE node DOC "Node.js: emscripten and the browser tests run it")
  # Debian keeps packages of Node.js where emscripten does not look.
  find_path(FATHOM_NODE_MODULES acorn/package.json PATHS /usr/share/nodejs
    /usr/lib/node_modules /usr/local/lib/node_modules NO_DEFAULT_PATH
    DOC "Folder of Node.js packages with acorn, which emscripten needs")
  if(FATHOM_EMXX AND FATHOM_NODE AND FATHOM_NODE_MODULES)
    set(${variable} ON PARENT_SCOPE)
  elseif(FATHOM_WASM STREQUAL ON)
    message(FATAL_ERROR "FATHOM_WASM=ON needs em++, node and acorn (Debian: emscripten node-acorn)")
  else()
    message(STATUS "emscripten not found (Debian: emscripten node-acorn): pages have no sliders")
  endif()
endfunction()

# Headers that a file reaches and sources that define what they declare. A source belongs to the
# first header of its own module that it includes (own header first). The modules are those that
# MODULE uses, directly or not; what a build writes is left out.
function(fathom_wasm_sources module entry variable)
  set(modules "")
  set(waiting ${module})
  while(waiting)
    list(POP_FRONT waiting next)
    if(NOT next IN_LIST modules)
      list(APPEND modules ${next})
      get_property(uses GLOBAL PROPERTY FATHOM_USES_${next})
      list(APPEND waiting ${uses})
    endif()
  endwhile()
  foreach(used IN LISTS modules)
    get_target_property(files fathom_${used} SOURCES)
    get_target_property(folder fathom_${used} SOURCE_DIR)
    list(FILTER files EXCLUDE REGEX NOTFOUND)  # a module of headers
    foreach(file IN LISTS files)
      cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${folder})
      string(FIND ${file} ${PROJECT_BINARY_DIR}/ written)
      if(NOT written EQUAL 0)
        file(STRINGS ${file} own LIMIT_COUNT 1 REGEX "^#include \"${used}/")
        string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" header "${own}")
        string(MAKE_C_IDENTIFIER ${header} key)
        list(APPEND sources_${key} ${file})
      endif()
    endforeach()
  endforeach()
  set(reached "")
  set(sources "")
  set(waiting ${entry})
  while(waiting)
    list(POP_FRONT waiting file)
    list(APPEND configured ${file})
    file(STRINGS ${file} lines REGEX "^#include \"")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" header "${line}")
      if(NOT header IN_LIST reached AND EXISTS ${PROJECT_SOURCE_DIR}/sim/${header})
        string(MAKE_C_IDENTIFIER ${header} key)
        list(APPEND reached ${header})
        list(APPEND sources ${sources_${key}})
        list(APPEND waiting ${PROJECT_SOURCE_DIR}/sim/${header} ${sources_${key}})
      endif()
    endforeach()
  endwhile()
  list(REMOVE_DUPLICATES sources)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${configured})
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# OUTPUT.js and OUTPUT.wasm. FIRST is included before every source.
function(fathom_wasm output)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODULE;ENTRY;FIRST" "SOURCES;EXPORTS")
  fathom_wasm_sources(${arg_MODULE} ${arg_ENTRY} sources)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/wasm)
  file(MAKE_DIRECTORY ${folder}/include ${folder}/objects)
  # Not /usr/include: the headers of the building machine's C library lie there too.
  foreach(library fmt nlohmann)
    find_path(FATHOM_INCLUDE_${library} NAMES ${library}/format.h ${library}/json.hpp
      DOC "Folder with ${library}/")
    file(CREATE_LINK ${FATHOM_INCLUDE_${library}}/${library} ${folder}/include/${library} SYMBOLIC)
  endforeach()
  set(environment ${CMAKE_COMMAND} -E env NODE_PATH=${FATHOM_NODE_MODULES} CCACHE_COMPILERTYPE=clang)
  # WebAssembly's own exceptions: a quarter smaller than emulated ones. No contraction: clang folds
  # constants as if it had fused multiply-adds. The decimal point is a point.
  set(flags -std=c++20 -O2 -fwasm-exceptions -ffp-contract=off
    -DFMT_STATIC_THOUSANDS_SEPARATOR=',' -I${folder}/include -I${PROJECT_SOURCE_DIR}/sim)
  set(first ${folder}/first.pch)
  add_custom_command(OUTPUT ${first}
    COMMAND ${environment} ${CMAKE_CXX_COMPILER_LAUNCHER} ${FATHOM_EMXX} ${flags} -MD -MF ${first}.d
      -MT ${first} -x c++-header ${arg_FIRST} -o ${first}
    DEPENDS ${arg_FIRST} DEPFILE ${first}.d COMMENT "WebAssembly: precompiling headers" VERBATIM)
  set(objects "")
  foreach(source IN LISTS sources arg_ENTRY arg_SOURCES)
    file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
    string(REPLACE "/" "_" name ${name})
    set(object ${folder}/objects/${name}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${environment} ${CMAKE_CXX_COMPILER_LAUNCHER} ${FATHOM_EMXX} ${flags}
        -include-pch ${first} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
      DEPENDS ${source} ${first} DEPFILE ${object}.d COMMENT "WebAssembly: ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  list(TRANSFORM arg_EXPORTS PREPEND _)
  list(JOIN arg_EXPORTS "," exports)
  add_custom_command(OUTPUT ${output}.js ${output}.wasm
    COMMAND ${environment} ${FATHOM_EMXX} -Oz -fwasm-exceptions ${objects} -o ${output}.js --no-entry
      -sALLOW_MEMORY_GROWTH=1 -sMODULARIZE=1 -sEXPORT_NAME=fathomModule -sENVIRONMENT=web
      -sEXPORTED_FUNCTIONS=${exports},_malloc,_free
      -sEXPORTED_RUNTIME_METHODS=UTF8ToString,stringToUTF8,lengthBytesUTF8
    DEPENDS ${objects} COMMENT "WebAssembly: linking" VERBATIM)
endfunction()
