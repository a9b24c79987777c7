// Load, settings and the check of recovery.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

namespace understudy::test {

using namespace internal;

using namespace std::chrono_literals;

connection_info server_at(std::uint16_t port, int priority) {
  connection_info made;
  made.host = "127.0.0.1";
  made.port = port;
  made.bind_dn = admin_dn;
  made.password = secret{admin_password};
  made.priority = priority;
  made.pool_size = 2;
  made.max_pool_size = 10;
  made.retry_delay = 50ms;
  return made;
}

settings quick_settings(std::vector<connection_info> servers) {
  auto all = settings_from(servers);
  all.failover.health_check_interval = 200ms;
  all.failover.hold_down = 300ms;
  all.failover.ramp = 200ms;
  all.pool.health_check_interval = 200ms;
  all.breaker.open_base = 200ms;
  all.breaker.open_cap = 1s;
  all.limits.drain_timeout = 3s;
  return all;
}

void probe_nobody(settings& all) {
  all.breaker.suspect_after = all.breaker.slow_call = 1h;
  all.failover.health_check_interval = all.pool.health_check_interval = 1h;
}

void stay_open_until_put_back(settings& all) {
  probe_nobody(all);
  all.breaker.open_base = all.breaker.open_cap = 1h;
}

stub_options stub_with_tls(const certificate_set& certificates, bool ldaps) {
  stub_options with;
  with.tls = tls_files{certificates.server.certificate, certificates.server.key};
  with.ldaps = ldaps;
  return with;
}

search_request search_for(std::string filter, std::string base) {
  search_request made;
  made.base = std::move(base);
  made.filter = std::move(filter);
  return made;
}

modify_request replace_description(std::string dn, std::string value) {
  modify_request made;
  made.dn = std::move(dn);
  made.changes.push_back({modification::kind::replace, {"description", {std::move(value)}}});
  return made;
}

std::string name_of(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

const server_snapshot& server_in(const runtime_snapshot& all, std::uint16_t port) {
  for (const auto& server : all.servers)
    if (server.port == port) return server;
  throw std::runtime_error("no server with port " + std::to_string(port) + " in the snapshot");
}

std::string why(const outcome& answer) { return answer ? "" : describe(*answer.error()); }

background_load::background_load(directory& to, int in_flight, maker make, duration timeout)
    : to_(to), make_(std::move(make)), timeout_(timeout) {
  if (!make_)
    make_ = [](int number) { return make_request(search_for("(uid=user" + std::to_string(number % 10) + ")")); };
  for (int i = 0; i < in_flight; ++i) send();
}

background_load::~background_load() { finish(); }

void background_load::send() {
  request_ptr what;
  {
    const std::lock_guard lock(guard_);
    if (stopping_) return;
    ++requests_;
    what = make_(number_++);
  }
  const auto began = std::chrono::steady_clock::now();
  call_options options;
  options.timeout = timeout_;
  to_.start(
      what,
      [this, began](outcome answer) {
        note(answer, began);
        send();
      },
      options);
}

void background_load::note(const outcome& answer, time_point began) {
  const auto ended = std::chrono::steady_clock::now();
  const std::lock_guard lock(guard_);
  ++outcomes_;
  longest_ = std::max<duration>(longest_, ended - began);
  if (answer) {
    ++succeeded_;
    ++by_server_[answer->server];
    history_.push_back({answer->server, began, ended});
  } else {
    ++failures_[answer.code()];
    if (example_.empty()) example_ = describe(*answer.error());
  }
}

bool background_load::finish() {
  {
    const std::lock_guard lock(guard_);
    stopping_ = true;
  }
  return eventually([this] { return outcomes() == requests(); },
                    std::chrono::duration_cast<milliseconds>(timeout_) + 10s);
}

std::uint64_t background_load::requests() const {
  const std::lock_guard lock(guard_);
  return requests_;
}
std::uint64_t background_load::outcomes() const {
  const std::lock_guard lock(guard_);
  return outcomes_;
}
std::uint64_t background_load::succeeded() const {
  const std::lock_guard lock(guard_);
  return succeeded_;
}
std::map<errc, std::uint64_t> background_load::failures() const {
  const std::lock_guard lock(guard_);
  return failures_;
}
std::map<std::string, std::uint64_t> background_load::by_server() const {
  const std::lock_guard lock(guard_);
  return by_server_;
}
void background_load::forget() {
  const std::lock_guard lock(guard_);
  by_server_.clear();
  history_.clear();
  longest_ = {};
}
duration background_load::longest() const {
  const std::lock_guard lock(guard_);
  return longest_;
}
std::vector<background_load::served> background_load::history() const {
  const std::lock_guard lock(guard_);
  return history_;
}
std::string background_load::example() const {
  const std::lock_guard lock(guard_);
  return example_;
}

witness::witness(stub_directory& server)
    : port(server.port()), open_connections([&server] { return server.open_connections(); }) {}

witness::witness(slapd& server)
    : port(server.port()), open_connections([&server] { return server.connections().size(); }) {}

namespace {

std::string name_in(const runtime_snapshot& all, const witness& server) {
  return server_in(all, server.port).host + ":" + std::to_string(server.port);
}

void check_serving(const running& it, const witness& preferred, std::vector<std::string>& problems) {
  std::string name;
  std::string last;
  const bool serves = eventually([&] {
    const auto answer = it.calls.try_search(search_for("(objectClass=*)"), {10s});
    last = answer ? "answered by " + answer->server : describe(*answer.error());
    if (!answer) return false;
    name = name_in(it.snapshot(), preferred);
    return answer->server == name;
  });
  if (!serves) problems.push_back(name + " does not serve again: " + last);
  runtime_snapshot all;
  const bool at_rest = eventually([&] {
    all = it.snapshot();
    return server_in(all, preferred.port).breaker == breaker_state::closed && all.requests_in_flight == 0;
  });
  if (!at_rest)
    problems.push_back("breaker " + std::string{to_string(server_in(all, preferred.port).breaker)} + ", " +
                       std::to_string(all.requests_in_flight) + " requests in flight");
}

/// Probes come and go: both sides are read until they agree.
void check_sockets(const running& it, const witness& server, std::vector<std::string>& problems) {
  std::uint64_t said = 0, seen = 0;
  const bool agree = eventually([&] {
    said = server_in(it.snapshot(), server.port).pool.now.size;
    seen = server.open_connections();
    return said == seen;
  });
  if (!agree)
    problems.push_back(name_of(server.port) + " has " + std::to_string(seen) + " connections, the runtime counts " +
                       std::to_string(said));
}

}  // namespace

std::vector<std::string> recovery_problems(const running& it, const std::vector<witness>& servers) {
  std::vector<std::string> problems;
  check_serving(it, servers.front(), problems);
  for (const auto& server : servers) check_sockets(it, server, problems);
  for (auto& one : lease_problems(it.snapshot(), true)) problems.push_back(std::move(one));
  return problems;
}

std::vector<std::string> stop_problems(const running& it, const std::vector<witness>& servers) {
  std::vector<std::string> problems;
  if (!it.stop()) problems.emplace_back("something had to be cut off");
  for (const auto& server : servers)
    if (!eventually([&] { return server.open_connections() == 0; }))
      problems.push_back(name_of(server.port) + " still has " + std::to_string(server.open_connections()) +
                         " connections");
  return problems;
}

void check_recovery(const running& it, const std::vector<witness>& servers) {
  for (const auto& one : recovery_problems(it, servers)) BOOST_ERROR(one);
}

void end_scenario(const running& it, const std::vector<witness>& servers) {
  check_recovery(it, servers);
  for (const auto& one : stop_problems(it, servers)) BOOST_ERROR(one);
}

}  // namespace understudy::test
