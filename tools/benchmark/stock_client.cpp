// libldap used the way services use it by hand: what Understudy is compared with.
// stock_client MODE port=N …; prints one line of JSON.
#include "arguments.hpp"
#include "login_load.hpp"
#include "login_patterns.hpp"
#include "measure.hpp"

#include <ldap.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <array>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

using namespace understudy::benchmark;

void check(int code, const char* call) {
  if (code == LDAP_SUCCESS) return;
  std::fprintf(stderr, "stock_client: %s: %s\n", call, ldap_err2string(code));
  std::exit(1);
}

berval text(const std::string&& s) = delete;
berval text(const std::string& s) { return {s.size(), const_cast<char*>(s.data())}; }

struct unbind {
  void operator()(LDAP* handle) const { ldap_unbind_ext(handle, nullptr, nullptr); }
};
using handle_ptr = std::unique_ptr<LDAP, unbind>;

struct server {
  std::string url;
  bool tls = false;
};

handle_ptr connect_to(const server& where) {
  LDAP* raw = nullptr;
  check(ldap_initialize(&raw, where.url.c_str()), "ldap_initialize");
  handle_ptr handle{raw};
  const int version = LDAP_VERSION3;
  ldap_set_option(raw, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(raw, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  if (where.tls) {
    // Stock is spared the check of the certificate; we do it.
    const int never = LDAP_OPT_X_TLS_NEVER, client = 0;
    ldap_set_option(raw, LDAP_OPT_X_TLS_REQUIRE_CERT, &never);
    ldap_set_option(raw, LDAP_OPT_X_TLS_NEWCTX, &client);
  }
  const std::string password = service_password;
  auto credentials = text(password);
  check(ldap_sasl_bind_s(raw, service_dn, LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr), "bind");
  return handle;
}

/// What a caller wants of an entry: its DN and values as strings of its own, like Understudy's result.
struct found_entry {
  std::string dn;
  std::vector<std::pair<std::string, std::vector<std::string>>> attributes;
};

found_entry unpack(LDAP* handle, LDAPMessage* message) {
  found_entry made;
  BerElement* ber = nullptr;
  berval dn{}, name{}, *values = nullptr;
  ldap_get_dn_ber(handle, message, &ber, &dn);
  made.dn.assign(dn.bv_val, dn.bv_len);
  while (ldap_get_attribute_ber(handle, message, ber, &name, &values) == LDAP_SUCCESS && name.bv_val != nullptr) {
    auto& a = made.attributes.emplace_back(std::string{name.bv_val, name.bv_len}, std::vector<std::string>{});
    for (auto* v = values; v != nullptr && v->bv_val != nullptr; ++v) a.second.emplace_back(v->bv_val, v->bv_len);
    ber_memfree(values);
    values = nullptr;
  }
  ber_free(ber, 0);
  return made;
}

std::array<char*, 2> wanted() { return {const_cast<char*>("mail"), nullptr}; }

// One blocking search; how many entries it found.
std::size_t search(LDAP* handle, const std::string& filter) {
  auto attributes = wanted();
  LDAPMessage* answer = nullptr;
  check(ldap_search_ext_s(handle, base_dn, LDAP_SCOPE_SUBTREE, filter.c_str(), attributes.data(), 0, nullptr, nullptr,
                          nullptr, 0, &answer),
        "search");
  std::vector<found_entry> found;
  for (auto* m = ldap_first_entry(handle, answer); m != nullptr; m = ldap_next_entry(handle, m))
    found.push_back(unpack(handle, m));
  ldap_msgfree(answer);
  return found.size();
}

void run_threads(meter& m, const arguments& given, int count, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  m.run(given.real("warmup", 0.2), given.real("seconds", 1));
  for (auto& t : threads) t.join();
}

// A connection for each thread, or `connections` behind a mutex each.
void synchronous(meter& m, const server& where, const arguments& given) {
  const int threads = given.number("threads", 1);
  const int connections = given.number("connections", threads);
  const auto filter = given.text("filter");
  struct shared {
    handle_ptr handle;
    std::mutex mutex;
  };
  std::vector<shared> all(static_cast<std::size_t>(connections));
  for (auto& one : all) one.handle = connect_to(where);
  std::atomic<std::uint64_t> turn{0};
  run_threads(m, given, threads, [&](int i) {
    auto& mine = all[static_cast<std::size_t>(i % connections)];
    while (!m.over()) {
      const auto f = filter.empty() ? scattered_filter(turn++) : filter;
      const auto since = clock::now();
      std::unique_lock lock(mine.mutex, std::defer_lock);
      if (connections < threads) lock.lock();
      if (search(mine.handle.get(), f) == 0) m.failed();
      m.done(since);
    }
  });
}

// Search, then bind as what was found on a second connection: what login pages do.
void logins(meter& m, const server& where, const arguments& given) {
  const int threads = given.number("threads", 1);
  std::atomic<std::uint64_t> turn{0};
  run_threads(m, given, threads, [&](int) {
    const auto reading = connect_to(where), binding = connect_to(where);
    while (!m.over()) {
      const auto number = scattered_user(turn++);
      const auto since = clock::now();
      if (search(reading.get(), "(uid=user" + std::to_string(number) + ")") != 1) m.failed();
      const auto password = "password" + std::to_string(number);
      auto credentials = text(password);
      const auto dn = "uid=user" + std::to_string(number) + ",ou=people," + base_dn;
      check(ldap_sasl_bind_s(binding.get(), dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr),
            "user's bind");
      m.done(since);
    }
  });
}

/// One connection with a window of searches in flight.
class pipeline {
 public:
  pipeline(meter& m, const server& where) : meter_(m), handle_(connect_to(where)) {
    ldap_get_option(handle_.get(), LDAP_OPT_DESC, &fd_);
  }
  int fd() const noexcept { return fd_; }
  std::size_t open() const noexcept { return open_.size(); }

  void send(std::uint64_t turn) {
    auto attributes = wanted();
    const auto since = clock::now();
    int id = 0;
    check(ldap_search_ext(handle_.get(), base_dn, LDAP_SCOPE_SUBTREE, scattered_filter(turn).c_str(), attributes.data(),
                          0, nullptr, nullptr, nullptr, 0, &id),
          "search");
    open_.emplace(id, exchange{since, {}});
  }

  // Takes one message; false when none is there within `patience` (null: waits).
  bool receive(timeval* patience) {
    LDAPMessage* raw = nullptr;
    const int kind = ldap_result(handle_.get(), LDAP_RES_ANY, LDAP_MSG_ONE, patience, &raw);
    if (kind == 0) return false;
    if (kind < 0) check(LDAP_SERVER_DOWN, "result");
    const std::unique_ptr<LDAPMessage, decltype(&ldap_msgfree)> message{raw, &ldap_msgfree};
    const auto at = open_.find(ldap_msgid(raw));
    if (at == open_.end()) return true;
    if (kind == LDAP_RES_SEARCH_ENTRY) {
      at->second.found.push_back(unpack(handle_.get(), raw));
      return true;
    }
    int code = 0;
    ldap_parse_result(handle_.get(), raw, &code, nullptr, nullptr, nullptr, nullptr, 0);
    if (code != LDAP_SUCCESS || at->second.found.empty()) meter_.failed();
    meter_.done(at->second.since);
    open_.erase(at);
    return true;
  }

 private:
  struct exchange {
    clock::time_point since;
    std::vector<found_entry> found;
  };
  meter& meter_;
  handle_ptr handle_;
  int fd_ = -1;
  std::unordered_map<int, exchange> open_;
};

void asynchronous(meter& m, const server& where, const arguments& given) {
  const auto window = static_cast<std::size_t>(given.number("window", 64));
  run_threads(m, given, 1, [&](int) {
    pipeline one(m, where);
    std::uint64_t turn = 0;
    while (!m.over()) {
      while (one.open() < window) one.send(turn++);
      one.receive(nullptr);
    }
  });
}

/// Asks for everything and takes a kilobyte a second of it, for so long; then nothing.
class slow_reader {
 public:
  slow_reader(const server& where, int seconds) : handle_(connect_to(where)) {
    ldap_get_option(handle_.get(), LDAP_OPT_DESC, &fd_);
    int id = 0;
    check(ldap_search_ext(handle_.get(), base_dn, LDAP_SCOPE_SUBTREE, "(objectClass=*)", nullptr, 0, nullptr, nullptr,
                          nullptr, 0, &id),
          "search");
    reading_ = std::jthread([fd = fd_, seconds](const std::stop_token& stop) {
      std::array<char, 1024> bytes;
      for (int i = 0; i < 10 * seconds && !stop.stop_requested(); ++i) {
        if (i % 10 == 0) static_cast<void>(::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT));
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
      }
    });
  }

 private:
  handle_ptr handle_;
  int fd_ = -1;
  std::jthread reading_;
};

// Several connections on one epoll set, each with its window; beside `slow` that stop reading after `slow_seconds`.
void multiplexed(meter& m, const server& where, const arguments& given) {
  const auto window = static_cast<std::size_t>(given.number("window", 16));
  std::deque<slow_reader> slow;
  for (int i = 0; i < given.number("slow", 0); ++i) slow.emplace_back(where, given.number("slow_seconds", 2));
  run_threads(m, given, 1, [&](int) {
    std::deque<pipeline> all;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < given.number("connections", 8); ++i) {
      auto& one = all.emplace_back(m, where);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &one;
      epoll_ctl(epoll, EPOLL_CTL_ADD, one.fd(), &event);
    }
    std::uint64_t turn = 0;
    timeval none{0, 0};
    for (auto& one : all)
      while (one.open() < window) one.send(turn++);
    std::array<epoll_event, 64> events;
    while (!m.over()) {
      const int n = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < n; ++i) {
        auto& one = *static_cast<pipeline*>(events[static_cast<std::size_t>(i)].data.ptr);
        while (one.receive(&none)) {
        }
        while (one.open() < window) one.send(turn++);
      }
    }
  });
}

// Large results, each entry dropped once it has been looked at.
void streaming(meter& m, const server& where, const arguments& given) {
  const auto filter = given.text("filter", "(objectClass=*)");
  run_threads(m, given, 1, [&](int) {
    const auto handle = connect_to(where);
    auto attributes = wanted();
    while (!m.over()) {
      const auto since = clock::now();
      int id = 0, kind = LDAP_RES_SEARCH_ENTRY;
      check(ldap_search_ext(handle.get(), base_dn, LDAP_SCOPE_SUBTREE, filter.c_str(), attributes.data(), 0, nullptr,
                            nullptr, nullptr, 0, &id),
            "search");
      std::size_t found = 0;
      while (kind == LDAP_RES_SEARCH_ENTRY) {
        LDAPMessage* raw = nullptr;
        kind = ldap_result(handle.get(), id, LDAP_MSG_ONE, nullptr, &raw);
        const std::unique_ptr<LDAPMessage, decltype(&ldap_msgfree)> message{raw, &ldap_msgfree};
        if (kind == LDAP_RES_SEARCH_ENTRY) found += unpack(handle.get(), raw).dn.empty() ? 0 : 1;
      }
      if (kind != LDAP_RES_SEARCH_RESULT || found < static_cast<std::size_t>(given.number("least", 1))) m.failed();
      m.done(since);
    }
  });
}

// Connect, bind, search, go: what programs do that know nothing of pools.
void sessions(meter& m, const server& where, const arguments& given) {
  std::atomic<std::uint64_t> turn{0};
  run_threads(m, given, given.number("threads", 1), [&](int) {
    while (!m.over()) {
      const auto filter = scattered_filter(turn++);
      const auto since = clock::now();
      if (search(connect_to(where).get(), filter) == 0) m.failed();
      m.done(since);
    }
  });
}

void may_open_many() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// So many connections, opened by a few threads, each with a bind; then, for `idle` seconds, nothing.
void storm(meter& m, const server& where, const arguments& given) {
  const int count = given.number("connections", 1000), threads = given.number("threads", 4);
  std::vector<handle_ptr> all(static_cast<std::size_t>(count));
  const int watched = given.number("watch", 0);
  std::atomic<int> next{0};
  may_open_many();
  const auto before = usage::now().resident_kib;
  const auto watched_before = usage::of(watched);
  m.start();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([&] {
      for (int at = next++; at < count; at = next++) {
        const auto since = clock::now();
        all[static_cast<std::size_t>(at)] = connect_to(where);
        m.done(since);
      }
    });
  for (auto& w : workers) w.join();
  m.stop();
  const double each = static_cast<double>(usage::now().resident_kib - before) / count;
  auto more = "\"kib_per_connection\": " + std::to_string(each);
  if (const double idle = given.real("idle", 0); idle > 0 && watched != 0) {
    const auto rested = usage::of(watched);
    std::this_thread::sleep_for(std::chrono::duration<double>(idle));
    const auto after = usage::of(watched);
    more += ", \"between_kib_each\": " +
            std::to_string(static_cast<double>(after.resident_kib - watched_before.resident_kib) / count) +
            ", \"between_idle_percent\": " + std::to_string((after.cpu_seconds - rested.cpu_seconds) / idle * 100);
  }
  m.print(more);
}

}  // namespace

int main(int argc, char** argv) {
  const arguments given(argc, argv);
  server where;
  where.tls = given.number("tls", 0) != 0;
  where.url = (where.tls ? "ldaps://" : "ldap://") + given.text("host", "127.0.0.1") + ":" + given.text("port");
  meter m;
  if (const int between = given.number("watch", 0); between != 0) m.watch(between);
  if (given.mode() == "sync")
    synchronous(m, where, given);
  else if (given.mode() == "async")
    asynchronous(m, where, given);
  else if (given.mode() == "epoll")
    multiplexed(m, where, given);
  else if (given.mode() == "logins")
    logins(m, where, given);
  else if (given.mode() == "paced") {
    const auto pattern = make_login_pattern(given);
    login_load(given).run(m, [&](int user, clock::time_point until) { return pattern->log_in(user, until); });
    return 0;
  } else if (given.mode() == "sessions")
    sessions(m, where, given);
  else if (given.mode() == "streaming")
    streaming(m, where, given);
  else if (given.mode() == "storm") {
    storm(m, where, given);
    return 0;
  } else {
    std::fprintf(stderr,
                 "usage: stock_client sync|async|epoll|logins|paced|sessions|streaming|storm port=N [key=value …]\n");
    return 2;
  }
  m.print();
}
