# What `cmake --install` lays down: library, headers, program, CMake package, pkg-config file, systemd
# unit, manual pages, completions, documents. What Debian packages hold is in debian_packages.cmake.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# install_library(LIBDIR LIBRARY_COMPONENT DEVELOPMENT_COMPONENT [EXCLUDE_FROM_ALL]): the library, and what one builds
# against it with, in that folder below the prefix.
function(install_library libdir library development)
  install(TARGETS understudy LIBRARY DESTINATION "${libdir}" COMPONENT ${library} NAMELINK_SKIP ${ARGN})
  install(TARGETS understudy LIBRARY DESTINATION "${libdir}" COMPONENT ${development} NAMELINK_ONLY ${ARGN})

  set(made_in "${PROJECT_BINARY_DIR}/install/${development}")
  set(CMAKE_INSTALL_LIBDIR "${libdir}")
  configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/understudy-config.cmake.in" "${made_in}/understudy-config.cmake"
    INSTALL_DESTINATION "${libdir}/cmake/understudy" PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
  write_basic_package_version_file("${made_in}/understudy-config-version.cmake" COMPATIBILITY ${UNDERSTUDY_COMPATIBILITY})
  install(FILES "${made_in}/understudy-config.cmake" "${made_in}/understudy-config-version.cmake"
          DESTINATION "${libdir}/cmake/understudy" COMPONENT ${development} ${ARGN})

  file(RELATIVE_PATH prefix_from_pkgconfig "/${libdir}/pkgconfig" "/")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/understudy.pc.in" "${made_in}/understudy.pc" @ONLY)
  install(FILES "${made_in}/understudy.pc" DESTINATION "${libdir}/pkgconfig" COMPONENT ${development} ${ARGN})
endfunction()
install_library("${CMAKE_INSTALL_LIBDIR}" library development)

# It brings the library with it.
install(TARGETS understudy_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)

# The headers that a service includes, and those for users of actors; with all that they include themselves.
install(CODE "set(source_dir \"${PROJECT_SOURCE_DIR}\")
set(include_dir \"${CMAKE_INSTALL_INCLUDEDIR}\")" COMPONENT headers)
install(SCRIPT "${PROJECT_SOURCE_DIR}/cmake/install_headers.cmake" COMPONENT headers)

# The service of systemd, and its user. The unit names absolute paths, which are known when it is installed.
install(CODE "set(bindir \"${CMAKE_INSTALL_BINDIR}\")
set(docdir \"${CMAKE_INSTALL_DOCDIR}\")
cmake_path(ABSOLUTE_PATH bindir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\" NORMALIZE)
cmake_path(ABSOLUTE_PATH docdir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\" NORMALIZE)
configure_file(\"${PROJECT_SOURCE_DIR}/tools/packaging/understudy.service.in\"
               \"${PROJECT_BINARY_DIR}/understudy.service\" @ONLY)" COMPONENT program)
install(FILES "${PROJECT_BINARY_DIR}/understudy.service" DESTINATION lib/systemd/system COMPONENT program)
install(FILES "${PROJECT_SOURCE_DIR}/tools/packaging/understudy.sysusers" DESTINATION lib/sysusers.d
        RENAME understudy.conf COMPONENT program)

# What the program says of itself (understudy_documents). Packages hold the pages compressed.
install(DIRECTORY "${UNDERSTUDY_DOCUMENTS}/man/" DESTINATION "${CMAKE_INSTALL_MANDIR}" COMPONENT manual)
install(DIRECTORY "${UNDERSTUDY_DOCUMENTS}/bash-completion" "${UNDERSTUDY_DOCUMENTS}/zsh"
        DESTINATION "${CMAKE_INSTALL_DATADIR}" COMPONENT program)

# As they lie in the sources, so that their links hold.
foreach(document README.md LICENSE CHANGELOG.md CONTRIBUTING.md SECURITY.md)
  install(FILES "${PROJECT_SOURCE_DIR}/${document}" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT program)
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT program
        FILES_MATCHING PATTERN "*.md" PATTERN "*.toml" PATTERN "*.svg" PATTERN "*.png")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/examples" DESTINATION "${CMAKE_INSTALL_DOCDIR}/tools" COMPONENT program)
install(FILES "${PROJECT_SOURCE_DIR}/tools/packaging/understudy.rules.yaml"
              "${PROJECT_SOURCE_DIR}/tools/packaging/understudy.dashboard.json"
              "${PROJECT_SOURCE_DIR}/tools/packaging/Containerfile"
              "${PROJECT_SOURCE_DIR}/tools/packaging/understudy.logrotate"
        DESTINATION "${CMAKE_INSTALL_DOCDIR}/tools/packaging" COMPONENT program)

if(PROJECT_IS_TOP_LEVEL)
  include(debian_packages)
endif()
