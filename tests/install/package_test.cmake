cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/check.cmake)

foreach(tool dpkg-deb dpkg-shlibdeps)
  find_program(FATHOM_${tool} ${tool})
  if(NOT FATHOM_${tool})
    message(STATUS "skipped: no ${tool}")
    return()
  endif()
endforeach()

file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR}/elsewhere)
# The program alone: archives with debug symbols take minutes to compress.
run(log COMMAND ${CMAKE_CPACK_COMMAND} -G DEB --config ${BUILD_DIR}/CPackConfig.cmake
  -B ${WORK_DIR}/packages -D CPACK_COMPONENTS_ALL=program)
file(GLOB package ${WORK_DIR}/packages/fathom_*.deb)
expect("${package}" "\\.deb$")
run(fields COMMAND dpkg-deb --field ${package})
expect("${fields}" "Package: fathom\n")
foreach(library libc6 libfmt libsqlite3-0 "libstdc\\+\\+6")
  expect("${fields}" "Depends: [^\n]*${library}")
endforeach()
# What only modules need would drag MPI and BLAS onto every machine.
if(fields MATCHES "Depends: [^\n]*(openmpi|openblas|dnnl)")
  message(FATAL_ERROR "the program depends on what only its modules need:\n${fields}")
endif()

run(log COMMAND dpkg-deb -x ${package} ${WORK_DIR}/root)
run(answer IN ${WORK_DIR}/elsewhere COMMAND ${WORK_DIR}/root/usr/bin/fathom model deepseek-v3)
expect("${answer}" "deepseek-v3")
expect_file(${WORK_DIR}/root/usr/share/man/man1/fathom.1)
message(STATUS "unpacked and ran ${package}")
file(REMOVE_RECURSE ${WORK_DIR})
