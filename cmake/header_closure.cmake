# Which of our headers a header needs, itself included: what is installed, and what tools/api-docs documents.
#
# It follows the includes instead of naming every header because runtime/runtime.hpp, which users of the actors include,
# needs some that are no part of the API: runtime/client/client.hpp (for `answer` and the client that it gives out) with
# what that includes, and runtime/platform/log_sink.hpp (for `log_sink::listener`). The facade needs none of those, which
# tests/consumer/check_headers.cmake holds.
cmake_minimum_required(VERSION 3.25)

# The headers of a service: C++17, without CAF, libldap and OpenSSL. The umbrella includes all of them.
set(facade_headers understudy.hpp)
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
