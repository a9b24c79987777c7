// The matrix on virtual time: what made-up servers can express of its faults and moments, held to the same rule.
#include "made_up_directory.hpp"
#include "matrix/rule.hpp"
#include "understudy/runtime/client/client.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace understudy::matrix;

namespace {

constexpr milliseconds between_requests{25};
/// After a request could have been served: time for a half-open moment or two.
constexpr milliseconds watched{1500};
constexpr milliseconds patience{8000}, patience_alone{2500}, impatient{700};

bool can_be_made_up(const cell& of) {
  const bool fault_fits = of.what == fault::refused || of.what == fault::blackholed || of.what == fault::hung ||
                          of.what == fault::hung_at_bind || of.what == fault::connection_limit ||
                          of.what == fault::busy;
  const bool moment_fits = of.when != moment::stop;
  return fault_fits && moment_fits && of.wire == security::plain;
}

/// One cell; the intervals of detection and repair are those of cells on real sockets.
class made_up_cell {
 public:
  made_up_cell(const made_up_cell&) = delete;
  made_up_cell& operator=(const made_up_cell&) = delete;
  ~made_up_cell() {
    if (callers_) callers_->close();
    w_.run();
  }
  /// `weaken` switches a mechanism off; the rule stays what it was.
  explicit made_up_cell(const cell& of, const std::function<void(settings&)>& weaken = {}, std::uint64_t seed = 1)
      : cell_(of), w_(priorities(of.servers), seed) {
    for (auto& one : w_.all.servers) {
      one.timeout = of.timeout;
      one.pool_size = 3;
      one.max_pool_size = 8;
      if (!of.binds) {
        one.bind_dn.clear();
        one.password_file.clear();
      }
    }
    auto& all = w_.all;
    all.failover.health_check_interval = milliseconds{500};
    all.failover.hold_down = milliseconds{300};
    all.failover.ramp = milliseconds{200};
    all.pool.health_check_interval = milliseconds{200};
    all.pool.min_connections = 3;
    all.pool.max_connections = 8;
    all.pool.max_connecting = 2;
    all.pool.bind_connections = 2;
    all.pool.preload_connections = of.when == moment::filling;
    all.breaker.open_base = milliseconds{200};
    all.breaker.open_cap = seconds{1};
    all.recovery.reconnect_attempts = 1;
    allowed_.emplace(all);
    if (weaken) weaken(all);
  }

  std::vector<std::string> operator()() {
    const auto serves = allowed_->level * faulty_count(cell_.servers);
    begin_at_its_moment();
    load_for(serves + watched);
    repair();
    // As long as it may take, and what happens then counts as well.
    load_for(allowed_->recovery + milliseconds{500});
    w_.advance(someone_serves(cell_) ? patience : patience_alone);
    seen_.requests.assign(notes_->begin(), notes_->end());
    look_at_the_end();
    return broken_promises(cell_, *allowed_, seen_);
  }

 private:
  made_up_server& faulty(std::size_t i) { return w_.world->servers[static_cast<server_id>(i)]; }

  void begin_at_its_moment() {
    if (cell_.when == moment::before_start) {
      begin_fault();
      return begin();
    }
    // It takes a second to begin: the pool has then some of its connections.
    if (cell_.when == moment::filling)
      for (std::size_t i = 0; i < w_.all.servers.size(); ++i) faulty(i).connect_time = milliseconds{600};
    begin();
    if (cell_.when == moment::filling)
      for (std::size_t i = 0; i < w_.all.servers.size(); ++i) faulty(i).connect_time = duration{};
    if (cell_.when == moment::under_load) load_for(seconds{1});
    if (cell_.when == moment::failback) fail_and_come_back();
    if (cell_.when == moment::reload) load_for(seconds{1});
    begin_fault();
    if (cell_.when == moment::reload) reload();
    if (cell_.when == moment::idle && cell_.binds) w_.advance(milliseconds{400});
  }

  /// Callers are those of the facade: threads, which try again as the recovery settings say.
  void begin() {
    w_.begin();
    callers_ = std::make_shared<runtime_client>(w_.system, w_.env, w_.all);
    callers_->connect_to(*w_.ask<circuit_breaker_actor>(w_.manager, router_atom_v).value, w_.manager);
  }

  /// As in cells on real sockets: all connections are replaced, and the first bind with the new name goes alone.
  void reload() {
    for (auto& one : w_.all.servers) {
      ++one.max_pool_size;
      if (cell_.binds) one.bind_dn = "cn=other," + one.bind_dn;
    }
    const auto next = std::make_shared<const settings>(w_.all);
    const auto done = w_.ask<reload_report>(w_.manager, reload_atom_v, settings_ptr{next}, start_token_ptr{});
    BOOST_TEST_REQUIRE(done.ok());
  }

  void fail_and_come_back() {
    seen_.trouble_began = w_.now();
    each_faulty([&](server_id id) { w_.take_down(id); });
    load_for(seconds{1});
    each_faulty([&](server_id id) { w_.bring_up(id); });
    load_for(milliseconds{400});
  }

  template <class Body>
  void each_faulty(Body body) {
    for (int i = 0; i < faulty_count(cell_.servers); ++i) body(static_cast<server_id>(i));
  }

  void begin_fault() {
    seen_.fault_began = w_.now();
    if (seen_.trouble_began == time_point{}) seen_.trouble_began = w_.now();
    each_faulty([&](server_id id) {
      auto& server = w_.world->servers[id];
      server.hangs_at_bind = cell_.what != fault::blackholed;
      seen_.faulty.push_back({w_.all.servers[id].host + ":389", server.connects.size()});
      switch (cell_.what) {
        case fault::refused:
          return w_.take_down(id);
        case fault::blackholed:
        case fault::hung:
          return w_.pause(id);
        case fault::hung_at_bind:
          server.hangs_set_ups = true;
          return w_.cut(id);
        case fault::connection_limit:
          server.limit = 2;
          return w_.cut(id);
        default:
          server.busy = true;
      }
    });
  }

  void repair() {
    for (std::size_t i = 0; i < seen_.faulty.size(); ++i)
      seen_.faulty[i].connects = faulty(i).connects.size() - seen_.faulty[i].connects;
    each_faulty([&](server_id id) {
      auto& server = w_.world->servers[id];
      server.hangs_set_ups = server.busy = false;
      server.limit = std::numeric_limits<int>::max();
      w_.bring_up(id);
    });
    seen_.repaired = w_.now();
  }

  /// The load of real cells, as far as made-up servers know it.
  void load_for(duration span) {
    for (const auto end = w_.now() + span; w_.now() < end; w_.advance(between_requests)) send();
  }

  void send() {
    const auto number = notes_->size();
    request_note made;
    any_operation op = search_request{};
    if (number % 20 == 8) {
      made.what = request_kind::write;
      op = modify_request{};
    } else if (number % 20 == 18) {
      made.what = request_kind::user_bind;
      op = bind_request{"uid=user", secret{"the user's"}};
    }
    const duration limit = number % 20 == 3 ? impatient : someone_serves(cell_) ? patience : patience_alone;
    made.began = w_.now();
    made.deadline = made.began + limit;
    notes_->push_back(made);
    call_options options;
    options.timeout = limit;
    callers_->start(make_request(std::move(op)),
                    [notes = notes_, clock = w_.clock, number](const outcome& answer) {
                      notes->at(number).end(clock->now(), answer ? answer->server : std::string{}, answer.error());
                    },
                    options, {});
    w_.run();
  }

  void look_at_the_end() {
    for (const auto& one : seen_.requests)
      if (one.what == request_kind::read && one.code == errc::none && one.server == "ldap1:389" &&
          one.began >= seen_.repaired && (!seen_.serves_again || one.ended < *seen_.serves_again))
        seen_.serves_again = one.ended;
    for (const auto& server : w_.status().servers) {
      if (server.breaker != breaker_state::closed) seen_.left_behind.push_back("a breaker that is not closed");
      if (server.pool.now.waiters + server.pool.now.in_flight != 0) seen_.left_behind.push_back("requests");
    }
  }

  const cell cell_;
  whole w_;
  std::optional<terms> allowed_;
  observation seen_;
  std::shared_ptr<runtime_client> callers_;
  std::shared_ptr<std::deque<request_note>> notes_ = std::make_shared<std::deque<request_note>>();
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_rule_of_the_matrix_holds_on_virtual_time) {
  int played = 0;
  for (const auto& one : all_cells()) {
    if (!can_be_made_up(one)) continue;
    ++played;
    for (const auto& sentence : made_up_cell{one}()) BOOST_ERROR(name(one) + ": " + sentence);
  }
  BOOST_TEST(played == 528);  // as docs/behaviour.md says
}

BOOST_AUTO_TEST_CASE(the_rule_of_the_matrix_notices_when_nothing_is_suspected) {
  for (const auto* of : {"hung/idle/two_levels/plain/bind/30s", "hung/under_load/three_levels/plain/anonymous/30s",
                         "hung_at_bind/before_start/two_levels/plain/bind/30s"}) {
    const auto broken = made_up_cell{find_cell(of).value(), [](settings& all) {
                                       all.breaker.suspect_after = all.breaker.slow_call = std::chrono::hours{1};
                                     }}();
    BOOST_TEST(!broken.empty(), of);
  }
}

/// Which connection asks for the new credentials first is a matter of chance: of the faulty server's, or of the
/// other's.
BOOST_AUTO_TEST_CASE(the_rule_of_the_matrix_holds_whoever_binds_first_after_a_reload) {
  for (const auto* of : {"hung/reload/two_levels/plain/bind/30s", "hung/reload/three_levels/plain/bind/30s",
                         "hung_at_bind/reload/one_level/plain/bind/30s"})
    for (std::uint64_t seed = 1; seed <= 100; ++seed)
      for (const auto& sentence : made_up_cell{find_cell(of).value(), {}, seed}())
        BOOST_ERROR(of << ", seed " << seed << ": " << sentence);
}

/// One request in forty histories left the hung server's queue when nothing else was under way: the server was taken
/// for busier than its equal from then on.
BOOST_AUTO_TEST_CASE(the_rule_of_the_matrix_holds_whoever_is_asked_last_before_the_repair) {
  const auto* of = "hung_at_bind/before_start/one_level/plain/bind/30s";
  for (std::uint64_t seed = 1; seed <= 60; ++seed)
    for (const auto& sentence : made_up_cell{find_cell(of).value(), {}, seed}())
      BOOST_ERROR(of << ", seed " << seed << ": " << sentence);
}
