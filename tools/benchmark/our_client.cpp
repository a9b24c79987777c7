// Understudy doing what stock_client does by hand.
// our_client MODE port=N[,N…] …; prints one line of JSON.
#include "arguments.hpp"
#include "caller.hpp"
#include "echo_caller.hpp"
#include "login_load.hpp"
#include "measure.hpp"
#include "our_settings.hpp"

#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/load_generator.hpp"

#include <sys/resource.h>
#include <cstdio>
#include <future>
#include <thread>

namespace {

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::benchmark;

// Waits for the state of the pools that a workload is to be measured with.
template <class Condition>
void await_state(Condition reached, const char* state) {
  const auto patience = clock::now() + std::chrono::minutes{2};
  while (!reached()) {
    if (clock::now() > patience) throw std::runtime_error(std::string{"our_client: not reached: "} + state);
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

void connect(connection_manager& directory, const arguments& given) {
  const auto outcome = directory.connect();
  if (!outcome.connected) throw std::runtime_error("our_client: cannot connect: " + outcome.connection_error);
  const auto wanted = static_cast<std::size_t>(given.number("connections", 1));
  await_state(
      [&] {
        for (const auto& s : directory.snapshot().servers)
          if (s.pool.now.idle + s.pool.now.in_use < wanted) return false;
        return true;
      },
      "all connections");
}

void run_threads(meter& m, const arguments& given, const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < given.number("threads", 1); ++i) threads.emplace_back(body, i);
  m.run(given.real("warmup", 0.2), given.real("seconds", 1));
  for (auto& t : threads) t.join();
}

void note(meter& m, clock::time_point since, const outcome& o) {
  if (!o || o->entries.empty()) m.failed();
  m.done(since);
}

void blocking(meter& m, directory& where, const arguments& given) {
  std::atomic<std::uint64_t> turn{0};
  const auto filter = given.text("filter");
  run_threads(m, given, [&](int) {
    while (!m.over()) {
      auto what = search_for(turn++);
      if (!filter.empty()) what.filter = filter;
      const auto since = clock::now();
      note(m, since, where.try_search(std::move(what)));
    }
  });
}

void leased(meter& m, connection_manager& directory, const arguments& given) {
  auto mine = directory.get_connection();
  blocking(m, mine, given);
}

// Only the taking and giving back.
void acquiring(meter& m, connection_manager& directory, const arguments& given) {
  run_threads(m, given, [&](int) {
    while (!m.over()) {
      const auto since = clock::now();
      auto mine = directory.get_connection();
      if (!directory.return_connection(mine)) m.failed();
      m.done(since);
    }
  });
}

void futures(meter& m, directory& where, const arguments& given) {
  const auto window = static_cast<std::size_t>(given.number("window", 64));
  run_threads(m, given, [&](int) {
    struct pending {
      clock::time_point since;
      std::future<outcome> answer;
    };
    std::deque<pending> open;
    std::uint64_t turn = 0;
    while (!m.over() || !open.empty()) {
      while (!m.over() && open.size() < window) open.push_back({clock::now(), where.async_search(search_for(turn++))});
      note(m, open.front().since, open.front().answer.get());
      open.pop_front();
    }
  });
}

// The engine of `understudy bench`: callbacks on the runtime's threads.
void callbacks(meter& m, directory& where, const arguments& given) {
  const auto send = [&](std::int64_t number, const call_options& how, completion done) {
    where.start(
        make_request(search_for(static_cast<std::uint64_t>(number))),
        [&m, done = std::move(done), since = clock::now()](outcome o) {
          note(m, since, o);
          done(std::move(o));
        },
        how);
  };
  cli::load_generator load(send, static_cast<std::size_t>(given.number("window", 64)), 0, 9999, seconds{30});
  std::thread window([&] {
    m.run(given.real("warmup", 0.2), given.real("seconds", 1));
    load.stop();
  });
  load.run(std::chrono::hours{1});
  window.join();
}

void logins(meter& m, directory& where, const arguments& given) {
  std::atomic<std::uint64_t> turn{0};
  run_threads(m, given, [&](int) {
    while (!m.over()) {
      const auto at = turn++;
      const auto since = clock::now();
      const auto found = where.try_search(search_for(at));
      if (!found || found->entries.size() != 1) m.failed();
      const auto number = std::to_string(scattered_user(at));
      if (!where.try_bind({"uid=user" + number + ",ou=people," + base_dn, secret{"password" + number}})) m.failed();
      m.done(since);
    }
  });
}

void paced_logins(meter& m, directory& where, const arguments& given) {
  authenticator_settings how;
  how.base = base_dn;
  how.timeout = std::chrono::duration_cast<duration>(std::chrono::duration<double>(given.real("patience", 10)));
  const authenticator users(where, how);
  std::atomic<int> said{0};
  login_load(given).run(m, [&](int user, clock::time_point) {
    const auto number = std::to_string(user);
    const auto login = users.authenticate("user" + number, secret{"password" + number});
    if (!login && ++said <= 5) std::fprintf(stderr, "our_client: a login failed: %s\n", login.detail.c_str());
    return static_cast<bool>(login);
  });
}

// From nothing to `connections` bound ones; then, with `idle`, what they cost while nothing happens.
void storm(meter& m, connection_manager& directory, const arguments& given) {
  const auto before = usage::now().resident_kib;
  const int count = given.number("connections", 1000);
  m.start();
  const auto since = clock::now();
  connect(directory, given);
  for (int i = 0; i < count; ++i) m.done(since);
  m.stop();
  const double kib = static_cast<double>(usage::now().resident_kib - before) / count;
  std::string more = "\"connections\": " + std::to_string(count) + ", \"kib_per_connection\": " + std::to_string(kib);
  if (const double idle = given.real("idle", 0); idle > 0) {
    const auto from = usage::now().cpu_seconds;
    std::this_thread::sleep_for(std::chrono::duration<double>(idle));
    more += ", \"idle_percent\": " + std::to_string((usage::now().cpu_seconds - from) / idle * 100);
  }
  m.print(more);
}

void raise_file_limit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int run(const arguments& given) {
  raise_file_limit();
  meter m;
  if (const int between = given.number("watch", 0); between != 0) m.watch(between);
  if (given.mode() == "actor") return run_caller(m, given);
  if (given.mode() == "echo") return run_echo_caller(m, given);
  connection_manager directory(settings_from(given));
  if (given.mode() == "storm") {
    storm(m, directory, given);
    return 0;
  }
  connect(directory, given);
  if (given.mode() == "facade")
    blocking(m, directory, given);
  else if (given.mode() == "lease")
    leased(m, directory, given);
  else if (given.mode() == "acquire")
    acquiring(m, directory, given);
  else if (given.mode() == "futures")
    futures(m, directory, given);
  else if (given.mode() == "callbacks")
    callbacks(m, directory, given);
  else if (given.mode() == "logins")
    logins(m, directory, given);
  else if (given.mode() == "paced") {
    paced_logins(m, directory, given);
    return 0;
  } else
    throw std::invalid_argument(
        "usage: our_client actor|echo|facade|lease|acquire|futures|callbacks|logins|paced|storm port=N [key=value …]");
  m.print();
  return 0;
}

}  // namespace

int main(int argc, char** argv) try { return run(arguments(argc, argv)); } catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
