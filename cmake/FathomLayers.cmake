# fathom_write_layers(FILE): the USES table of all modules so far, for cmake/layers_test.cmake.
# cli is a program, not a module: it may use everything, and nothing may use it.
function(fathom_write_layers file)
  get_property(modules GLOBAL PROPERTY FATHOM_MODULES)
  list(REMOVE_ITEM modules cli)
  set(table "set(FATHOM_MODULES \"${modules};cli\")\nset(FATHOM_USES_cli \"${modules}\")\n")
  foreach(module IN LISTS modules)
    get_property(uses GLOBAL PROPERTY FATHOM_USES_${module})
    string(APPEND table "set(FATHOM_USES_${module} \"${uses}\")\n")
  endforeach()
  file(CONFIGURE OUTPUT ${file} CONTENT "${table}" @ONLY)
endfunction()
