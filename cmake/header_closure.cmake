# Which of our headers a header needs, itself included.
cmake_minimum_required(VERSION 3.25)

# The headers of a service: C++17, without CAF, libldap and OpenSSL.
set(facade_headers runtime/connection_manager.hpp runtime/connection_pool.hpp runtime/ranged_values.hpp config/load.hpp messages/filter.hpp
                   messages/dn.hpp messages/ber.hpp messages/password_policy.hpp)
# Those for users of the actors.
set(actor_headers runtime/runtime.hpp messages/actors.hpp actors/ports/guard.hpp actors/ports/poller_actor.hpp actors/ports/hosted.hpp)

# header_closure(OUT SOURCE_DIR HEADER…): paths relative to SOURCE_DIR.
function(header_closure out source_dir)
  set(todo ${ARGN})
  set(done "")
  while(todo)
    list(POP_FRONT todo header)
    if(header IN_LIST done)
      continue()
    endif()
    list(APPEND done "${header}")
    file(STRINGS "${source_dir}/${header}" lines REGEX "^#include \"understudy/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"understudy/([^\"]+)\".*" "\\1" included "${line}")
      list(APPEND todo "${included}")
    endforeach()
  endwhile()
  set(${out} "${done}" PARENT_SCOPE)
endfunction()
