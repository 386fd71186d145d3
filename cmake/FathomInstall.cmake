# cmake --install and cpack, in three components: `program` answers questions and needs nothing of the
# others, `modules` are what `fathom measure` and MPI runs load where their libraries are,
# `development` is the library for find_package(fathom).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(FATHOM_DATA_DIR ${CMAKE_INSTALL_DATADIR}/fathom)
install(TARGETS fathom RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(DIRECTORY models hwprofiles examples DESTINATION ${FATHOM_DATA_DIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${FATHOM_DATA_DIR} COMPONENT program
  PATTERN Doxyfile EXCLUDE PATTERN doxygen EXCLUDE)
install(DIRECTORY reports/ DESTINATION ${FATHOM_DATA_DIR}/reports COMPONENT program
  FILES_MATCHING PATTERN "*.json" PATTERN out EXCLUDE PATTERN rendered EXCLUDE)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)

# Manual pages and completions: the program writes them itself.
if(NOT CMAKE_CROSSCOMPILING)
  set(written ${PROJECT_BINARY_DIR}/written)
  add_custom_command(OUTPUT ${written}/stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${written}
    COMMAND fathom man --all ${written}/man1
    COMMAND fathom completions bash > ${written}/fathom
    COMMAND fathom completions zsh > ${written}/_fathom
    COMMAND fathom completions fish > ${written}/fathom.fish
    COMMAND ${CMAKE_COMMAND} -E touch ${written}/stamp
    DEPENDS fathom
    COMMENT "Writing manual pages and completions")
  add_custom_target(fathom_written ALL DEPENDS ${written}/stamp)
  install(DIRECTORY ${written}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
  install(FILES ${written}/fathom COMPONENT program
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${written}/_fathom COMPONENT program
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${written}/fathom.fish COMPONENT program
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The library: headers, archives (fathom_export() in FathomModule.cmake) and the CMake package.
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/fathom)
install(DIRECTORY sim/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fathom COMPONENT development
  FILES_MATCHING PATTERN "*.hpp" PATTERN cli EXCLUDE PATTERN mpi EXCLUDE PATTERN assets EXCLUDE
  PATTERN libraries EXCLUDE PATTERN wasm EXCLUDE)
install(EXPORT fathomTargets NAMESPACE fathom:: DESTINATION ${package} COMPONENT development)
configure_package_config_file(cmake/fathomConfig.cmake.in ${PROJECT_BINARY_DIR}/fathomConfig.cmake
  INSTALL_DESTINATION ${package} PATH_VARS FATHOM_DATA_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fathomConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fathomConfig.cmake
  ${PROJECT_BINARY_DIR}/fathomConfigVersion.cmake DESTINATION ${package} COMPONENT development)

include(FathomPackage)
