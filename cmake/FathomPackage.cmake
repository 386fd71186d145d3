# cmake --build --preset release --target package: Debian packages fathom, fathom-modules and
# libfathom-dev, with the dependencies that dpkg-shlibdeps finds in their files.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fathom)
set(CPACK_PACKAGE_CONTACT "The fathom authors <fathom@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program modules development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "${PROJECT_DESCRIPTION}
 The program with its models, systems, examples, manual pages and completions.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME fathom)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "fathom-modules (= ${PROJECT_VERSION})")

set(CPACK_COMPONENT_MODULES_DESCRIPTION "Libraries that fathom measures against, and MPI
 Loaded by the program when they are asked for: oneDNN, OpenBLAS, Eigen, collectives and ranks.")
set(CPACK_DEBIAN_MODULES_PACKAGE_NAME fathom-modules)
set(CPACK_DEBIAN_MODULES_PACKAGE_DEPENDS "fathom (= ${PROJECT_VERSION})")

set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers and static libraries of fathom
 For C++20 programs: find_package(fathom), then fathom::study or another module.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libfathom-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "fathom (= ${PROJECT_VERSION}), libfmt-dev, nlohmann-json3-dev, libsqlite3-dev")
include(CPack)
