// What tests of streams and paged searches share: who serves, what is searched, and that nothing is left of it.
#pragma once
#include "support/eventually.hpp"
#include "support/leak_check.hpp"
#include "support/print.hpp"
#include "support/slapd.hpp"
#include "support/stub_directory.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/messages/paged_results.hpp"
#include "understudy/runtime/connection_pool.hpp"

namespace understudy::test {

using namespace internal;

template <class Server>
connection_info info_of(const Server& server) {
  connection_info info;
  info.host = "127.0.0.1";
  info.port = server.port();
  info.bind_dn = admin_dn;
  info.password = secret{admin_password};
  return info;
}

inline search_request users() {
  search_request what;
  what.base = people_dn;
  what.scope = search_scope::one;
  what.attributes = {"uid"};
  return what;
}

inline std::vector<entry> people(int n, std::size_t padding = 0) {
  std::vector<entry> all;
  for (int i = 0; i < n; ++i) {
    all.push_back({user_dn(i), {{"uid", {"user" + std::to_string(i)}}, {"description", {std::string(padding, 'x')}}}});
  }
  return all;
}

/// Searches for users get so many entries and no result; others (probes) are answered as ever.
inline void stall_after(stub_directory& server, std::size_t n) {
  server.when([](const directory_request& r) { return r.kind == operation::search && r.dn == people_dn; },
              [n](const directory_request&) {
                reply part;
                part.what.entries = people(10);
                part.how.entries = n;
                return part;
              });
}

/// Settings for one server, of a manager that does not wait long for what it has to cut off.
inline settings hasty(connection_info info) {
  auto all = settings_from({std::move(info)});
  all.limits.drain_timeout = milliseconds{300};
  all.log.level = log_level::error;
  return all;
}

inline pool_options one_connection() {
  pool_options options;
  options.min_connections = options.max_connections = 1;
  return options;
}

/// Every lease is returned, and no request under way.
inline bool nothing_is_leased(const connection_manager& manager) {
  return eventually([&] {
    const auto all = manager.snapshot();
    const auto& pool = all.servers.at(0).pool;
    return pool.leased == 0 && pool.acquired == pool.released && all.requests_in_flight == 0;
  });
}

inline std::string text(const failure_ptr& why) { return why ? describe(*why) : "no error"; }

}  // namespace understudy::test
