# Runs cmake/layers_test.cmake over a small tree of two modules, clean and with one violation each.
cmake_minimum_required(VERSION 3.25)

# expect(NAME FILE CONTENT WANTED): with CONTENT as sim/FILE, the script must fail and say WANTED;
# an empty WANTED means that it must succeed.
function(expect name file content wanted)
  file(REMOVE_RECURSE ${WORK_DIR})
  file(WRITE ${WORK_DIR}/table.cmake
    "set(FATHOM_MODULES core ops)\nset(FATHOM_USES_core \"\")\nset(FATHOM_USES_ops core)\n")
  file(WRITE ${WORK_DIR}/sim/core/units.hpp "#pragma once\n#include <string>\n")
  file(WRITE ${WORK_DIR}/sim/ops/gemm.cpp
    "#include \"ops/gemm.hpp\"\n\n#include <nlohmann/json.hpp>\n\n#include \"core/units.hpp\"\n")
  file(WRITE ${WORK_DIR}/sim/${file} "${content}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -D SIM_DIR=${WORK_DIR}/sim -D TABLE=${WORK_DIR}/table.cmake
      -P ${SCRIPT}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(wanted STREQUAL "")
    if(NOT result EQUAL 0)
      message(SEND_ERROR "${name}: expected success, got:\n${output}")
    endif()
    return()
  endif()
  string(FIND "${output}" "${wanted}" position)
  if(result EQUAL 0 OR position EQUAL -1)
    message(SEND_ERROR "${name}: expected a failure that says '${wanted}', got:\n${output}")
  endif()
endfunction()

expect("clean tree" "ops/gemm.hpp" "#pragma once\n#include \"core/units.hpp\"\n" "")
expect("undeclared arrow" "core/bad.cpp" "#include <string>\n// why\n#include \"ops/gemm.hpp\"\n"
  "sim/core/bad.cpp:3: module core includes ops/gemm.hpp; ops is not in its USES")
expect("unknown module" "core/bad.hpp" "#include \"detail/x.hpp\"\n"
  "sim/core/bad.hpp:1: module core includes detail/x.hpp; detail is not a module")
expect("path upwards" "ops/bad.cpp" "  #  include \"../core/units.hpp\"  // a; b\n"
  "sim/ops/bad.cpp:1: module ops includes ../core/units.hpp; .. is not a module")
foreach(heavy nlohmann/json.hpp Eigen/Dense CLI/CLI.hpp iostream)
  expect("heavy ${heavy}" "ops/bad.hpp" "#pragma once\n\n#include <${heavy}>\n"
    "sim/ops/bad.hpp:3: header of module ops includes ${heavy}; include it in a .cpp file")
endforeach()
expect("light json header" "ops/good.hpp" "#include <nlohmann/json_fwd.hpp>\n" "")
expect("folder without module" "stray/x.cpp" "\n" "sim/stray/x.cpp: stray is not a module")
file(REMOVE_RECURSE ${WORK_DIR})
