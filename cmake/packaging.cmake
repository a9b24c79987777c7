# What `cmake --install` lays down: library, headers, program, CMake package, pkg-config file, systemd
# unit, documents.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS understudy LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
# It brings the library with it.
install(TARGETS understudy_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")

# The headers that a service includes, and those for users of actors; with all that they include themselves.
install(CODE "set(source_dir \"${PROJECT_SOURCE_DIR}\")
set(include_dir \"${CMAKE_INSTALL_INCLUDEDIR}\")")
install(SCRIPT "${PROJECT_SOURCE_DIR}/cmake/install_headers.cmake")

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/understudy")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/understudy-config.cmake.in" "${PROJECT_BINARY_DIR}/understudy-config.cmake"
  INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/understudy-config-version.cmake"
                                 COMPATIBILITY ${UNDERSTUDY_COMPATIBILITY})
install(FILES "${PROJECT_BINARY_DIR}/understudy-config.cmake" "${PROJECT_BINARY_DIR}/understudy-config-version.cmake"
        DESTINATION "${package_dir}")

file(RELATIVE_PATH prefix_from_pkgconfig "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/cmake/understudy.pc.in" "${PROJECT_BINARY_DIR}/understudy.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/understudy.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# The service of systemd. It names absolute paths, which are known when it is installed.
install(CODE "set(bindir \"${CMAKE_INSTALL_BINDIR}\")
set(docdir \"${CMAKE_INSTALL_DOCDIR}\")
cmake_path(ABSOLUTE_PATH bindir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\" NORMALIZE)
cmake_path(ABSOLUTE_PATH docdir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\" NORMALIZE)
configure_file(\"${PROJECT_SOURCE_DIR}/tools/packaging/understudy.service.in\"
               \"${PROJECT_BINARY_DIR}/understudy.service\" @ONLY)")
install(FILES "${PROJECT_BINARY_DIR}/understudy.service" DESTINATION lib/systemd/system)

# As they lie in the sources, so that their links hold.
foreach(document README.md LICENSE CHANGELOG.md CONTRIBUTING.md SECURITY.md)
  install(FILES "${PROJECT_SOURCE_DIR}/${document}" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
        FILES_MATCHING PATTERN "*.md" PATTERN "*.toml" PATTERN "*.svg" PATTERN "*.png")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/examples" DESTINATION "${CMAKE_INSTALL_DOCDIR}/tools")
install(FILES "${PROJECT_SOURCE_DIR}/tools/packaging/understudy.rules.yaml"
        DESTINATION "${CMAKE_INSTALL_DOCDIR}/tools/packaging")
