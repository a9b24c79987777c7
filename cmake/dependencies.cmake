# Finds what Understudy is built on; imported targets for libraries whose Debian package has no CMake package.

# Whoever has Understudy as a subdirectory links to these too, from directories above ours.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(nlohmann_json REQUIRED)
# Headers alone: the parser of HTTP.
find_package(Boost REQUIRED)
if(UNDERSTUDY_PROGRAM)
  find_package(CLI11 REQUIRED)
endif()
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET GLOBAL tomlplusplus)
pkg_check_modules(LDAP REQUIRED IMPORTED_TARGET GLOBAL ldap lber)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET GLOBAL libzstd)

find_path(CAF_INCLUDE_DIR caf/actor_system.hpp REQUIRED)
find_library(CAF_core_LIBRARY caf_core REQUIRED)
add_library(CAF::core UNKNOWN IMPORTED GLOBAL)
set_target_properties(CAF::core PROPERTIES IMPORTED_LOCATION "${CAF_core_LIBRARY}"
                                           INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
target_link_libraries(CAF::core INTERFACE Threads::Threads)
find_library(CAF_io_LIBRARY caf_io REQUIRED)
add_library(CAF::io UNKNOWN IMPORTED GLOBAL)
set_target_properties(CAF::io PROPERTIES IMPORTED_LOCATION "${CAF_io_LIBRARY}")
target_link_libraries(CAF::io INTERFACE CAF::core)
