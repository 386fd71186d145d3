# Looks for weak symbols in the objects that are compiled for one instruction set (*_avx512*, *_amx*).
#   cmake -D "OBJECTS=a.o;b.o" -D NM=nm -P cmake/isa_symbols_test.cmake
# The linker keeps one copy of an inline function, and it may be the copy of such a file: the program
# would then die of an illegal instruction on an older processor, far away from any fast kernel.
cmake_minimum_required(VERSION 3.25)

set(checked 0)
foreach(object IN LISTS OBJECTS)
  if(NOT object MATCHES "_(avx512|amx)[^/]*$")
    continue()
  endif()
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WV] [^\n]*" weak "${symbols}")
  # Sanitisers and debuggers add their own.
  list(FILTER weak EXCLUDE REGEX "DW\\.ref|__asan|__ubsan|__gxx_personality")
  if(weak)
    message(FATAL_ERROR "${object} defines ${weak}")
  endif()
  math(EXPR checked "${checked} + 1")
endforeach()
if(checked EQUAL 0)
  message(FATAL_ERROR "no object of an instruction set among the given ones")
endif()
message(STATUS "${checked} objects without weak symbols")
