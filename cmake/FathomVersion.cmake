# The commit is read at configure time; a tarball without git reports "unknown".
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE FATHOM_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT FATHOM_COMMIT)
  set(FATHOM_COMMIT "unknown")
endif()
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 --format=%cs
  OUTPUT_VARIABLE FATHOM_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
