# Packages for Debian, by `cpack` in the build folder (tools/package): understudy, libunderstudy0, libunderstudy-dev. They
# hold the files that `cmake --install` lays down, the library where Debian has libraries, and what only packages have.
set(UNDERSTUDY_PACKAGE_CONTACT "The authors of Understudy <packages@understudy.invalid>"
    CACHE STRING "Maintainer of the packages: NAME <ADDRESS>")
set(packaging_dir "${PROJECT_SOURCE_DIR}/tools/packaging/debian")
set(made_dir "${PROJECT_BINARY_DIR}/debian")

# In the library's folder of this architecture: several of them may be installed side by side.
set(multiarch_dir lib)
if(CMAKE_LIBRARY_ARCHITECTURE)
  set(multiarch_dir "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
endif()
install_library("${multiarch_dir}" debian_library debian_development EXCLUDE_FROM_ALL)

# Each has its copyright and its changes, compressed as Debian's policy (12.1, 12.5, 12.7) wants them.
foreach(component program library development)
  set(package_program understudy)
  set(package_library libunderstudy0)
  set(package_development libunderstudy-dev)
  install(CODE "set(package ${package_${component}})
set(version ${PROJECT_VERSION})
set(contact \"${UNDERSTUDY_PACKAGE_CONTACT}\")
set(source_dir \"${PROJECT_SOURCE_DIR}\")" COMPONENT debian_${component} EXCLUDE_FROM_ALL)
  install(SCRIPT "${packaging_dir}/install_documents.cmake" COMPONENT debian_${component} EXCLUDE_FROM_ALL)
endforeach()
install(CODE "set(manual_dir \"${UNDERSTUDY_DOCUMENTS}/man\")" COMPONENT debian_program EXCLUDE_FROM_ALL)
install(SCRIPT "${packaging_dir}/install_manual.cmake" COMPONENT debian_program EXCLUDE_FROM_ALL)

# Configuration: /etc, whatever the prefix.
install(FILES "${UNDERSTUDY_DOCUMENTS}/etc/understudy.toml" DESTINATION /etc/understudy COMPONENT debian_program
        EXCLUDE_FROM_ALL)
install(FILES "${PROJECT_SOURCE_DIR}/tools/packaging/understudy.logrotate" DESTINATION /etc/logrotate.d RENAME understudy
        COMPONENT debian_program EXCLUDE_FROM_ALL)

# What lintian finds and is meant so, with reasons.
install(FILES "${packaging_dir}/libunderstudy0.lintian-overrides" DESTINATION share/lintian/overrides
        RENAME libunderstudy0 COMPONENT debian_library EXCLUDE_FROM_ALL)

configure_file("${packaging_dir}/shlibs.in" "${made_dir}/library/shlibs" @ONLY)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME understudy)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each has its own
set(CPACK_PACKAGE_CONTACT "${UNDERSTUDY_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_STRIP_FILES ON)
# Some of it is in /etc: everything goes below a folder by DESTDIR.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL program debian_program debian_library debian_development headers)
set(CPACK_COMPONENT_PROGRAM_GROUP program)
set(CPACK_COMPONENT_DEBIAN_PROGRAM_GROUP program)
set(CPACK_COMPONENT_DEBIAN_LIBRARY_GROUP library)
set(CPACK_COMPONENT_DEBIAN_DEVELOPMENT_GROUP development)
set(CPACK_COMPONENT_HEADERS_GROUP development)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME understudy)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION
    "keeps LDAP connections alive: node and command line
Keeps connections to LDAP directory servers alive: pools, health checks,
circuit breakers and failover. It runs as a service that other programs ask
by LDAP, as a node of a cluster, or as a command (search, authenticate,
health and others). Health, metrics and a console are shown by HTTP.")
# Its user is made by one of them.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "logrotate, slapd")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA "${packaging_dir}/conffiles" "${packaging_dir}/postinst"
                                               "${packaging_dir}/prerm" "${packaging_dir}/postrm")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libunderstudy0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION
    "keeps LDAP connections alive: shared library
Keeps a service's connections to LDAP directory servers alive: pools, health
checks, circuit breakers and failover.

What programs that were built with libunderstudy-dev are linked to.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${made_dir}/library/shlibs")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libunderstudy-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "keeps LDAP connections alive: headers
Keeps a service's connections to LDAP directory servers alive: pools, health
checks, circuit breakers and failover.

Headers for C++17 and C, a CMake package and a pkg-config file. Who speaks to
the actors themselves needs libcaf-dev, too.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libunderstudy0 (= ${PROJECT_VERSION}), nlohmann-json3-dev")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libcaf-dev")
include(CPack)
