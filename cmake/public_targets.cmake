# The targets that services link to, under the names that the installed package gives them: understudy::understudy, the
# facade (C++17), and understudy::actors, for those who speak to the actors. Each shows its public headers and no other.
include("${PROJECT_SOURCE_DIR}/cmake/public_headers.cmake")

# understudy_public_target(TARGET NAME HEADER…): an interface of the library, also known as understudy::NAME.
function(understudy_public_target target name)
  set(view "${PROJECT_BINARY_DIR}/include/public_${name}")
  check_public_headers("${PROJECT_SOURCE_DIR}" ${ARGN})
  file(REMOVE_RECURSE "${view}")
  foreach(header IN LISTS ARGN)
    get_filename_component(folder "${view}/understudy/${header}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${header}" "${view}/understudy/${header}" SYMBOLIC)
    # An include that is added to one may be of what is not public.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${header}")
  endforeach()
  add_library(${target} INTERFACE)
  add_library(understudy::${name} ALIAS ${target})
  target_include_directories(${target} INTERFACE "${view}")
  # What the library itself was compiled with is its own business.
  target_link_libraries(${target} INTERFACE "$<LINK_ONLY:understudy>" nlohmann_json::nlohmann_json)
endfunction()

understudy_public_target(understudy_facade understudy ${facade_headers})
target_compile_features(understudy_facade INTERFACE cxx_std_17)
understudy_public_target(understudy_actor_interface actors ${facade_headers} ${actor_headers})
target_compile_features(understudy_actor_interface INTERFACE cxx_std_20)
target_link_libraries(understudy_actor_interface INTERFACE CAF::core)
