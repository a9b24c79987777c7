// Whatever has happened: a server that answers serves again within the longest backoff, however slow it is, however few
// connections it takes, whatever it did before anybody asked.
#include "made_up_directory.hpp"
#include "support/property.hpp"

#include <array>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// Of its numbers `a` is a server.
enum class kind : std::uint8_t { read, down, pause, hang, cut, up, limit, slow, idle, pass };

constexpr std::array<const char*, 10> names(kind) {
  return {"read", "down", "pause", "hang", "cut", "up", "limit", "slow", "idle", "pass"};
}

using command = command_of<kind>;

struct shape {
  int servers = 1, limit = 0, minimum = 1, seed = 1;
  bool hung_start = false, preload = false;
};

std::ostream& operator<<(std::ostream& out, const shape& s) {
  return out << s.servers << " servers, limit " << s.limit << ", minimum " << s.minimum << ", seed " << s.seed
             << (s.hung_start ? ", hung at the start" : "") << (s.preload ? ", preloaded" : "");
}

rc::Gen<shape> shapes() {
  using rc::gen::inRange;
  using rc::gen::set;
  return rc::gen::build<shape>(set(&shape::servers, inRange(1, 3)), set(&shape::limit, inRange(1, 5)),
                               set(&shape::minimum, inRange(1, 4)), set(&shape::seed, inRange(1, 1000)),
                               set(&shape::hung_start), set(&shape::preload));
}

rc::Gen<std::vector<command>> commands() {
  const auto what = rc::gen::weightedElement<kind>({{8, kind::read},
                                                    {2, kind::down},
                                                    {3, kind::pause},
                                                    {2, kind::hang},
                                                    {3, kind::cut},
                                                    {4, kind::up},
                                                    {2, kind::limit},
                                                    {3, kind::slow},
                                                    {1, kind::idle},
                                                    {6, kind::pass}});
  return commands_of(what, 12, 12);
}

class history {
 public:
  history(const shape& s, const std::function<void(whole&)>& weaken)
      : w_(s.servers == 1 ? std::vector<int>{1} : std::vector<int>{1, 2}, static_cast<std::uint64_t>(s.seed)) {
    w_.all.pool.min_connections = s.minimum;
    w_.all.pool.max_connections = 4;
    w_.all.pool.preload_connections = s.preload;
    w_.all.breaker.open_cap = seconds{10};
    for (server_id id = 0; id < w_.all.servers.size(); ++id) {
      w_.world->servers[id].limit = s.limit;
      w_.world->servers[id].paused = s.hung_start;
      w_.all.servers[id].timeout = seconds{10};
    }
    if (weaken) weaken(w_);
    w_.begin();
  }

  void run(const std::vector<command>& all) {
    for (const auto& c : all) step(c);
    one_serves();
  }

 private:
  static constexpr std::array<duration, 4> paces{milliseconds{0}, milliseconds{300}, milliseconds{1600}, seconds{3}};

  server_id server(int a) const { return static_cast<server_id>(static_cast<std::size_t>(a) % w_.all.servers.size()); }
  made_up_server& at(int a) { return w_.world->servers[server(a)]; }

  void step(const command& c) {
    switch (c.what) {
      case kind::read:
        return read(c.a % 2 == 0 ? "" : "dc=x", milliseconds{500 * c.b});
      case kind::down:
        return w_.take_down(server(c.a));
      case kind::pause:
        return w_.pause(server(c.a));
      case kind::hang:
        at(c.a).hangs_requests = true;
        at(c.a).reads_entries = c.b % 2 == 0;
        return;
      case kind::cut:
        return w_.cut(server(c.a));
      case kind::up:
        return w_.bring_up(server(c.a));
      case kind::limit:
        at(c.a).limit = c.b % 5;
        return;
      case kind::slow:
        at(c.a).answer_time = paces.at(static_cast<std::size_t>(c.b) % paces.size());
        return;
      case kind::idle:
        return w_.advance(std::chrono::minutes{6});
      case kind::pass:
        return w_.advance(milliseconds{c.b * c.b * 40});
    }
  }

  void read(std::string base, duration patience) {
    search_request all;
    all.base = std::move(base);
    w_.start<result_ptr>(w_.manager, perform_atom_v, w_.call_of(std::move(all), patience));
    w_.run();
  }

  /// One server answers, in its own time, on the connections that are open, if there are any; the other one does not.
  void one_serves() {
    if (w_.all.servers.size() > 1) w_.take_down(1);
    w_.bring_up(0);
    auto& alive = w_.world->servers[0];
    alive.limit = std::max(alive.limit, 1);
    // What was asked of a connection while it hung may still run out of its time, and the connection with it.
    w_.advance(seconds{5} + alive.answer_time);
    // While a connection of the pool is open no new one can be had.
    if (alive.open > alive.probes_open) alive.limit = 0;
    // The longest backoff, more or less by a fifth, and two probes.
    w_.advance(seconds{12} + 4 * alive.answer_time + seconds{10});
    for (int i = 0; i < 3; ++i) {
      // It has had time to recover: who asks now waits for the answer, and not for that.
      const auto answer = w_.search(3 * alive.answer_time + seconds{2});
      must(answer.ok(), "a server that answers serves again", answer.error ? describe(*answer.error) : "no answer");
      w_.advance(seconds{1});
    }
  }

  whole w_;
};

auto any_history(std::function<void(whole&)> weaken = {}) {
  return [weaken] {
    const auto s = *any(shapes()).as("servers");
    history{s, weaken}.run(*commands().as("commands"));
  };
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_only_connection_is_kept_when_its_server_becomes_slow_before_anybody_asked) {
  shape s;
  s.servers = 2;
  s.limit = 1;
  s.minimum = 2;
  s.seed = 33;
  s.hung_start = true;
  history{s, {}}.run({{kind::up, 3, 0}, {kind::idle, 0, 0}, {kind::up, 0, 0}, {kind::slow, 0, 2}});
}

// Shards, so that they run side by side.
BOOST_AUTO_TEST_CASE(a_server_that_answers_serves_again_whatever_happened) {
  check_property("liveness", {6'000, 24}, any_history());
}

BOOST_AUTO_TEST_CASE(a_server_that_answers_serves_again_whatever_happened_for_long) {
  check_property("liveness, longer histories", {4'000, 40}, any_history());
}

BOOST_AUTO_TEST_CASE(probes_that_find_nobody_are_noticed) {
  expect_counterexample("a server that answers serves again", {500, 24},
                        any_history([](whole& w) { w.world->fails_checks = true; }));
}
