# Installs into a prefix of its own and builds projects against it as an outsider does.
include(GNUInstallDirs)
set(consumer_dir "${PROJECT_SOURCE_DIR}/tests/consumer")
set(consumer_prefix "${PROJECT_BINARY_DIR}/consumer/prefix")

add_test(NAME consumer/installs COMMAND "${CMAKE_COMMAND}" "-Dbuild=${PROJECT_BINARY_DIR}" "-Dprefix=${consumer_prefix}" -P
                                        "${consumer_dir}/install_anew.cmake")
set_tests_properties(consumer/installs PROPERTIES FIXTURES_SETUP consumer_prefix TIMEOUT 120)

add_test(
  NAME consumer/facade_headers_are_plain_cxx17
  COMMAND "${CMAKE_COMMAND}" "-Dcompiler=${CMAKE_CXX_COMPILER}" "-Dc_compiler=${CMAKE_C_COMPILER}" "-Dsource_dir=${PROJECT_SOURCE_DIR}"
          "-Dinclude_dir=${consumer_prefix}/${CMAKE_INSTALL_INCLUDEDIR}" -P "${consumer_dir}/check_headers.cmake")

set(consumer_flags "")
if(UNDERSTUDY_SANITIZE)
  set(consumer_flags "-fsanitize=address,undefined -fno-sanitize=null")
endif()

# understudy_consumer(NAME OPTION…): the outside project, configured with these options, built and run.
function(understudy_consumer name)
  set(build "${PROJECT_BINARY_DIR}/consumer/${name}")
  add_test(
    NAME consumer/${name}
    COMMAND
      "${CMAKE_CTEST_COMMAND}" --build-and-test "${consumer_dir}/project" "${build}" --build-generator Ninja
      --build-noclean --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" "-DCMAKE_CXX_FLAGS=${consumer_flags}"
      "-DEXAMPLE=${PROJECT_SOURCE_DIR}/tools/examples/1_embedding.cpp" "-DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}"
      "-DCMAKE_C_FLAGS=${consumer_flags}" "-DC_EXAMPLE=${PROJECT_SOURCE_DIR}/tools/examples/6_login_in_c.c" ${ARGN}
      --test-command "${build}/consumer")
  set_tests_properties(
    consumer/${name}
    PROPERTIES FIXTURES_REQUIRED consumer_prefix TIMEOUT 300 ENVIRONMENT
               "PKG_CONFIG_PATH=${consumer_prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()
understudy_consumer(builds_with_find_package "-DUSE=find_package" "-DCMAKE_PREFIX_PATH=${consumer_prefix}")
understudy_consumer(builds_with_pkg_config "-DUSE=pkg_config")
understudy_consumer(builds_with_actors "-DUSE=actors" "-DCMAKE_PREFIX_PATH=${consumer_prefix}")

# understudy_part(NAME): the outside project with our sources as a part of it, configured anew each time, compiled.
function(understudy_part name)
  set(build "${PROJECT_BINARY_DIR}/consumer/part_${name}")
  add_test(
    NAME consumer/works_with_${name}
    COMMAND
      "${CMAKE_CTEST_COMMAND}" --build-and-test "${consumer_dir}/project" "${build}" --build-generator Ninja
      --build-noclean --build-target compiles --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
      "-DUSE=${name}" "-DUNDERSTUDY_SOURCE=${PROJECT_SOURCE_DIR}"
      "-DEXAMPLE=${PROJECT_SOURCE_DIR}/tools/examples/1_embedding.cpp" --test-command "${CMAKE_COMMAND}"
      "-Dbuild=${build}" "-Dninja=${CMAKE_MAKE_PROGRAM}" -P "${consumer_dir}/check_part.cmake")
  set_tests_properties(consumer/works_with_${name} PROPERTIES TIMEOUT 300 LABELS consumer)
endfunction()
understudy_part(add_subdirectory)
understudy_part(fetch_content)

add_test(NAME consumer/installed_documents_lie_where_they_link
         COMMAND "${CMAKE_COMMAND}" "-Dfolder=${consumer_prefix}/${CMAKE_INSTALL_DOCDIR}" -P
                 "${consumer_dir}/check_documents.cmake")
# Other interfaces have other names: what was linked against one does not start with another.
add_test(NAME consumer/soname_goes_with_compatible_versions COMMAND objdump -p "$<TARGET_FILE:understudy>")
string(REPLACE "." "\\." soname_pattern "libunderstudy.so.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set_tests_properties(consumer/soname_goes_with_compatible_versions
                     PROPERTIES PASS_REGULAR_EXPRESSION "SONAME +${soname_pattern}[^.0-9]" LABELS consumer TIMEOUT 60)
add_test(NAME consumer/installed_program_runs COMMAND "${consumer_prefix}/${CMAKE_INSTALL_BINDIR}/understudy" --version)
set_tests_properties(consumer/installed_program_runs PROPERTIES PASS_REGULAR_EXPRESSION "^understudy ${PROJECT_VERSION}")
set_tests_properties(consumer/facade_headers_are_plain_cxx17 consumer/installed_program_runs
                     consumer/installed_documents_lie_where_they_link
                     PROPERTIES FIXTURES_REQUIRED consumer_prefix TIMEOUT 120)
set_tests_properties(
  consumer/installs consumer/facade_headers_are_plain_cxx17 consumer/builds_with_find_package
  consumer/builds_with_pkg_config consumer/builds_with_actors consumer/installed_program_runs
  consumer/installed_documents_lie_where_they_link PROPERTIES LABELS consumer)
# The unit, where there is a systemd to judge it: understood, with nothing that systemd would do without a word, and as
# shut in as it says (of 100, less is less exposed).
find_program(systemd_analyze systemd-analyze)
if(systemd_analyze)
  set(unit "${consumer_prefix}/lib/systemd/system/understudy.service")
  add_test(NAME consumer/installed_unit_is_understood COMMAND "${systemd_analyze}" verify --man=no "${unit}")
  set_tests_properties(consumer/installed_unit_is_understood PROPERTIES FAIL_REGULAR_EXPRESSION "understudy")
  add_test(NAME consumer/installed_unit_is_hardened COMMAND "${systemd_analyze}" security --offline=yes --no-pager
                                                            --threshold=15 "${unit}")
  set_tests_properties(consumer/installed_unit_is_understood consumer/installed_unit_is_hardened
                       PROPERTIES FIXTURES_REQUIRED consumer_prefix TIMEOUT 120 LABELS consumer)
endif()
add_test(NAME consumer/exports_only_what_is_public COMMAND "${CMAKE_COMMAND}" "-Dlibrary=$<TARGET_FILE:understudy>"
                                                           "-Dc_header=${PROJECT_SOURCE_DIR}/understudy.h" -P
                                                           "${consumer_dir}/check_exports.cmake")
