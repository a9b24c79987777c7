# The headers that are public: what is installed, what the API reference documents, and what is not in the namespace
# understudy::internal. What one of them includes must be public too.
cmake_minimum_required(VERSION 3.25)

# Those of a service: C++17, without CAF, libldap and OpenSSL. understudy.hpp includes all of them but understudy.h,
# which is C.
set(facade_headers
    config/connection_info.hpp
    config/load.hpp
    config/problem.hpp
    config/settings.hpp
    messages/ber.hpp
    messages/dn.hpp
    messages/error.hpp
    messages/filter.hpp
    messages/login.hpp
    messages/lookup.hpp
    messages/node_silence.hpp
    messages/password_policy.hpp
    messages/request.hpp
    messages/result.hpp
    messages/role_map.hpp
    messages/runtime_event.hpp
    messages/secret.hpp
    messages/snapshot.hpp
    messages/time.hpp
    runtime/authenticator.hpp
    runtime/connection_manager.hpp
    runtime/connection_pool.hpp
    runtime/directory.hpp
    runtime/exceptions.hpp
    runtime/lease.hpp
    runtime/lookups.hpp
    runtime/metrics_text.hpp
    runtime/paged_search.hpp
    runtime/ranged_values.hpp
    runtime/remote_nodes.hpp
    runtime/results.hpp
    runtime/search_stream.hpp
    runtime/state_json.hpp
    understudy.h
    understudy.hpp)
# Those for users of the actors.
set(actor_headers
    actors/ports/clients_port.hpp
    actors/ports/cluster_port.hpp
    actors/ports/connection_load.hpp
    actors/ports/guard.hpp
    actors/ports/hosted.hpp
    actors/ports/poller_actor.hpp
    actors/ports/check_record.hpp
    actors/ports/ports.hpp
    actors/ports/server_pace.hpp
    actors/ports/socket_permits.hpp
    actors/ports/unanswered_requests.hpp
    messages/actors.hpp
    messages/answer_meter.hpp
    messages/call.hpp
    messages/event.hpp
    messages/type_ids.hpp
    runtime/answer.hpp
    runtime/authenticator_actor.hpp
    runtime/runtime.hpp)

# check_public_headers(SOURCE_DIR HEADER…): stops when one of them includes what is not among them.
function(check_public_headers source_dir)
  foreach(header IN LISTS ARGN)
    file(STRINGS "${source_dir}/${header}" lines REGEX "^#include \"understudy/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"understudy/([^\"]+)\".*" "\\1" included "${line}")
      if(NOT included IN_LIST ARGN)
        message(FATAL_ERROR "${header} is public and includes ${included}, which is not (cmake/public_headers.cmake)")
      endif()
    endforeach()
  endforeach()
endfunction()
