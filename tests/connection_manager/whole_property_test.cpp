// The whole runtime but its sockets, through random requests, deaths, pauses, leases and orders: whoever asks is told,
// once, in time, and when the faults are over everything serves again.
#include "made_up_directory.hpp"
#include "support/property.hpp"

#include <array>
#include <caf/actor_registry.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// Of its numbers `a` is a server or holder, or how patient.
enum class kind : std::uint8_t {
  read,
  write,
  user_bind,
  lease,
  use,
  give_back,
  holder_dies,
  cancel,
  down,
  pause,
  cut,
  up,
  suspend,
  resume,
  pass
};

constexpr std::array<const char*, 15> names(kind) {
  return {"read", "write", "user_bind", "lease", "use",     "give_back", "holder_dies", "cancel",
          "down", "pause", "cut",       "up",    "suspend", "resume",    "pass"};
}

using command = command_of<kind>;

rc::Gen<std::vector<command>> commands() {
  const auto what = rc::gen::weightedElement<kind>({{10, kind::read},
                                                    {6, kind::write},
                                                    {3, kind::user_bind},
                                                    {6, kind::lease},
                                                    {3, kind::use},
                                                    {3, kind::give_back},
                                                    {2, kind::holder_dies},
                                                    {3, kind::cancel},
                                                    {3, kind::down},
                                                    {4, kind::pause},
                                                    {3, kind::cut},
                                                    {4, kind::up},
                                                    {1, kind::suspend},
                                                    {1, kind::resume},
                                                    {8, kind::pass}});
  return commands_of(what, 12, 12);
}

/// Asks for a lease and holds it, as an actor does: claims it, and lives until told otherwise.
struct holder {
  caf::actor self;
  answer_ptr<lease_grant> told = std::make_shared<answer<lease_grant>>();
  time_point deadline{};
};

caf::behavior hold(caf::event_based_actor* self, connection_manager_actor manager, lease_request wish,
                   answer_ptr<lease_grant> told) {
  install_default_handlers(*self);
  self->request(manager, caf::infinite, lease_atom_v, std::move(wish))
      .then(
          [=](const lease_grant& grant) {
            told->value = grant;
            self->send(manager, claim_atom_v, grant.server, grant.id);
          },
          [=](const caf::error& e) { told->error = failure_of(e); });
  return {[](tick_atom) {}};
}

class random_run {
 public:
  explicit random_run(std::function<void(directory_world&)> weaken) : w_({1, 1, 2}, 7) {
    w_.all.pool.min_connections = 1;
    w_.all.pool.max_connections = 3;
    w_.all.pool.max_in_flight = 2;
    w_.all.failover.failover_timeout = seconds{2};
    if (weaken) weaken(*w_.world);
    w_.begin();
  }
  ~random_run() {
    for (auto& h : holders_)
      if (h.self) caf::anon_send_exit(h.self, caf::exit_reason::user_shutdown);
    holders_.clear();
    requests_.clear();
  }
  random_run(const random_run&) = delete;
  random_run& operator=(const random_run&) = delete;

  void run(const std::vector<command>& all) {
    for (const auto& c : all) {
      step(c);
      w_.run();
      look();
    }
    faults_end();
    serve_again();
    close();
  }

 private:
  struct asked {
    answer_ptr<result_ptr> told;
    call what;
  };

  static duration patience(int a) {
    constexpr std::array all{milliseconds{0}, milliseconds{200}, milliseconds{1500}, milliseconds{8000}};
    return all.at(static_cast<std::size_t>(a) % all.size());
  }
  server_id server(int a) const { return static_cast<server_id>(static_cast<std::size_t>(a) % w_.all.servers.size()); }

  answer_ptr<result_ptr> ask(any_operation op, duration how_patient) {
    auto c = w_.call_of(std::move(op), how_patient);
    c.token = std::make_shared<cancel_token>();
    requests_.push_back({w_.start<result_ptr>(w_.manager, perform_atom_v, c), c});
    return requests_.back().told;
  }
  void lease(duration how_patient) {
    lease_request wish;
    wish.deadline = w_.now() + how_patient;
    wish.holder = "property";
    holder h;
    h.deadline = wish.deadline;
    h.self = w_.system.spawn(hold, w_.manager, wish, h.told);
    holders_.push_back(std::move(h));
  }
  /// Of those who hold one.
  holder* holding(int a) {
    std::vector<holder*> all;
    for (auto& h : holders_)
      if (h.self && h.told->ok()) all.push_back(&h);
    return all.empty() ? nullptr : all[static_cast<std::size_t>(a) % all.size()];
  }
  void end(holder& h, bool gives_back) {
    if (gives_back) caf::anon_send(w_.manager, release_atom_v, h.told->value->server, h.told->value->id);
    w_.run();
    caf::anon_send_exit(h.self, caf::exit_reason::user_shutdown);
    h.self = nullptr;
    h.told->value.reset();
    h.told->error = std::make_shared<const failure>();
  }

  void step(const command& c) {
    switch (c.what) {
      case kind::read:
        return (void)ask(search_request{}, patience(c.a));
      case kind::write:
        return (void)ask(delete_request{"cn=x"}, patience(c.a));
      case kind::user_bind:
        return (void)ask(bind_request{}, patience(c.a));
      case kind::lease:
        return lease(patience(c.a));
      case kind::use:
        if (const auto* h = holding(c.a)) use(*h->told->value, patience(c.b));
        return;
      case kind::give_back:
      case kind::holder_dies:
        if (auto* h = holding(c.a)) end(*h, c.what == kind::give_back);
        return;
      case kind::cancel:
        if (requests_.empty()) return;
        return cancel(requests_[static_cast<std::size_t>(c.a) % requests_.size()].what.token);
      case kind::down:
        return w_.take_down(server(c.a));
      case kind::pause:
        return w_.pause(server(c.a));
      case kind::cut:
        return w_.cut(server(c.a));
      case kind::up:
        return w_.bring_up(server(c.a));
      case kind::suspend:
        return (void)w_.ask<bool>(w_.manager, suspend_atom_v, server(c.a), static_cast<std::uint32_t>(c.b));
      case kind::resume:
        return (void)w_.ask<bool>(w_.manager, resume_atom_v, server(c.a));
      case kind::pass:
        return w_.advance(milliseconds{c.a * c.a * c.b * 2});
    }
  }

  void use(const lease_grant& grant, duration how_patient) {
    auto c = w_.call_of(search_request{}, how_patient);
    requests_.push_back({w_.start<result_ptr>(grant.connection, perform_atom_v, grant.id, c), c});
  }

  void cancel(const cancel_token_ptr& token) {
    if (!token) return;
    token->cancel();
    w_.tell(w_.manager, cancel_atom_v, token);
  }

  void look() {
    for (const auto& r : requests_) must(r.told->done() || w_.now() < r.what.deadline, "every request ends in time");
    for (const auto& h : holders_)
      must(h.told->done() || w_.now() < h.deadline, "every request for a lease ends in time");
    for (const auto& [what, times] : w_.world->sent) must(times <= 1, "no write is sent twice");
    std::erase_if(requests_, [](const asked& r) { return r.told->done(); });
    std::erase_if(holders_, [](const holder& h) { return h.told->error && !h.self; });
  }

  void faults_end() {
    for (server_id id = 0; id < w_.all.servers.size(); ++id) {
      w_.bring_up(id);
      w_.ask<bool>(w_.manager, resume_atom_v, id);
    }
    w_.advance(seconds{10});
    look();
    // All are told by now; those who hold a lease end.
    for (auto& h : holders_)
      if (h.self) caf::anon_send_exit(h.self, caf::exit_reason::user_shutdown);
    holders_.clear();
    // Longer than any deadline, breaker and backoff.
    for (int i = 0; i < 10; ++i) {
      w_.advance(seconds{10});
      look();
    }
  }

  void serve_again() {
    const char* promise = "after all faults everything serves again";
    for (int i = 0; i < 3; ++i) {
      const auto read = ask(search_request{}, seconds{2}), write = ask(delete_request{"cn=y"}, seconds{2});
      const auto bind = ask(bind_request{}, seconds{2});
      lease(seconds{2});
      w_.advance(seconds{1});
      must(read->ok(), promise, "a read");
      must(write->ok(), promise, "a write");
      must(bind->ok(), promise, "a user's bind");
      must(holders_.back().told->ok(), promise, "a lease");
      end(holders_.back(), true);
      w_.advance(seconds{1});
    }
    for (const auto& s : w_.status().servers) {
      must(s.breaker == breaker_state::closed, promise, "a breaker");
      must(s.pool.leased == 0 && s.pool.acquired == s.pool.released, "every lease ends", s.pool.leased);
      must(s.pool.now.in_flight == 0 && s.pool.completed == s.pool.dispatched, "every operation ends",
           s.pool.now.in_flight);
      must(s.pool.now.waiters == 0, "nobody waits when all are served", s.pool.now.waiters);
      must(s.pool.now.size <= 3, "no more sockets than max_connections", s.pool.now.size);
    }
  }

  void close() {
    for (auto& h : holders_)
      if (h.self) caf::anon_send_exit(h.self, caf::exit_reason::user_shutdown);
    holders_.clear();
    requests_.clear();
    const auto drained = w_.start<bool>(w_.manager, drain_atom_v, w_.now() + seconds{5});
    w_.advance(seconds{6});
    must(drained->ok() && *drained->value, "a drain without work is clean");
    w_.manager = nullptr;
    w_.run();
    must(w_.system.registry().running() == 0, "no actor is left", w_.system.registry().running());
    must(w_.world->live.empty(), "no connection is left", w_.world->live.size());
  }

  whole w_;
  std::vector<asked> requests_;
  std::vector<holder> holders_;
};

auto any_run(std::function<void(directory_world&)> weaken = {}) {
  return [weaken] { random_run{weaken}.run(*commands().as("commands")); };
}

void expect_broken(const char* promise, std::function<void(directory_world&)> weaken) {
  expect_counterexample(promise, {200, 60}, any_run(std::move(weaken)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(whoever_asks_is_told_once_and_in_time_whatever_happens) {
  check_property("whole runtime", {1000, 60}, any_run());
}

BOOST_AUTO_TEST_CASE(a_dying_connection_that_tells_nobody_is_noticed) {
  expect_broken("every request ends in time", [](directory_world& w) { w.forgets_the_dead = true; });
}

BOOST_AUTO_TEST_CASE(a_connection_without_deadlines_is_noticed) {
  expect_broken("every request ends in time", [](directory_world& w) { w.ignores_deadlines = true; });
}

BOOST_AUTO_TEST_CASE(a_connection_that_repeats_writes_is_noticed) {
  expect_broken("no write is sent twice", [](directory_world& w) { w.repeats_writes = true; });
}
