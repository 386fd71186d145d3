# Shared by the tests of this folder.

# run(NAME [IN folder] COMMAND …): its output in NAME; stops the test when it fails.
function(run name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "IN" "COMMAND")
  if(NOT arg_IN)
    set(arg_IN ${WORK_DIR})
  endif()
  execute_process(COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${arg_IN} RESULT_VARIABLE code
    OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${arg_COMMAND}: ${code}\n${out}\n${err}")
  endif()
  set(${name} "${out}" PARENT_SCOPE)
endfunction()

# expect(TEXT PATTERN): PATTERN is somewhere in TEXT.
function(expect text pattern)
  if(NOT "${text}" MATCHES "${pattern}")
    message(FATAL_ERROR "'${pattern}' is not in:\n${text}")
  endif()
endfunction()

function(expect_file path)
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "${path} was not installed")
  endif()
endfunction()

# What only the installed tree may answer must not come from a variable of the caller.
unset(ENV{FATHOM_DATA})
