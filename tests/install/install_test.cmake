cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/check.cmake)

file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR}/elsewhere)
run(log COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/first)

# Nothing remembers where it was installed first.
file(RENAME ${WORK_DIR}/first ${WORK_DIR}/prefix)
set(prefix ${WORK_DIR}/prefix)
foreach(path bin/fathom share/man/man1/fathom.1 share/man/man1/fathom-estimate.1
    share/bash-completion/completions/fathom share/zsh/vendor-completions/_fathom
    share/fish/vendor_completions.d/fathom.fish share/fathom/docs/schema/scenario.json
    share/fathom/docs/sweeps.md share/fathom/reports/ledger/inference.json include/fathom/study/evaluate.hpp)
  expect_file(${prefix}/${path})
endforeach()

run(answer IN ${WORK_DIR}/elsewhere COMMAND ${prefix}/bin/fathom estimate
  ${prefix}/share/fathom/examples/deepseek-v3-h800-decode.json --format json)
if(NOT answer MATCHES "\"tpot_s\": ([0-9.e-]+)")
  message(FATAL_ERROR "no tpot_s in:\n${answer}")
endif()
set(program_tpot ${CMAKE_MATCH_1})
run(names IN ${WORK_DIR}/elsewhere COMMAND ${prefix}/bin/fathom __complete hardware)
expect("${names}" "h800")
run(page IN ${WORK_DIR}/elsewhere COMMAND ${prefix}/bin/fathom report kv-cache --format json)
run(health IN ${WORK_DIR}/elsewhere COMMAND ${prefix}/bin/fathom doctor --format json)
expect("${health}" "prefix/share/fathom: ")

run(log COMMAND ${CMAKE_COMMAND} -S ${DOWNSTREAM} -B ${WORK_DIR}/build -G ${GENERATOR}
  -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${CXX_COMPILER}
  -D "CMAKE_CXX_FLAGS=${CXX_FLAGS}")
run(log COMMAND ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(mine IN ${WORK_DIR}/elsewhere COMMAND ${WORK_DIR}/build/tpot
  ${prefix}/share/fathom/examples/deepseek-v3-h800-decode.json)
# The same library, asked without the program: the same time to the last digit.
string(STRIP "${mine}" mine)
if(NOT mine STREQUAL program_tpot)
  message(FATAL_ERROR "downstream says ${mine} s, the program ${program_tpot} s")
endif()
message(STATUS "installed, moved, built upon: TPOT ${mine} s")
file(REMOVE_RECURSE ${WORK_DIR})
