// Exceptions in handlers are answered and contained, restarts are limited, unexpected messages are dropped in silence.
#include "understudy/actors/ports/guard.hpp"
#include "support/actor_config.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <optional>

using namespace understudy;

namespace {

class hand_clock final : public clock_port {
 public:
  time_point now() const override { return at; }
  wall_time wall_now() const override { return {}; }
  time_point at{std::chrono::hours{1}};
};

class list_log final : public log_port {
 public:
  bool enabled(log_level) const override { return true; }
  void write(log_level, std::string_view component, std::string_view text, const fields& more) override {
    std::string line{component};
    line.append(": ").append(text);
    for (const auto& [key, value] : more) {
      line.append(" ").append(key).append("=").append(value);
    }
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

// Throws when asked for 1, otherwise answers what it was asked.
struct fragile_state {
  fragile_state(caf::stateful_actor<fragile_state>* s) : self(s) {}

  caf::behavior start(environment_ptr env, int* restarts) {
    install_default_handlers(*self);
    std::function<void()> restart;
    if (restarts != nullptr) {
      restart = [restarts] {
        if (++*restarts > 100) {
          throw std::runtime_error("cannot restart");
        }
      };
    }
    guard.emplace(*self, env, "fragile", std::move(restart));
    return {[this](perform_atom, int how) { return handle(how); },
            [this](flush_atom) { guard->run([] { throw std::logic_error("hunter2"); }); }};
  }

  caf::result<int> handle(int how) {
    return guard->answer<int>([&]() -> caf::result<int> {
      if (how == 1) {
        throw std::runtime_error("hunter2");
      }
      return how;
    });
  }

  caf::stateful_actor<fragile_state>* self;
  std::optional<handler_guard> guard;
};

caf::behavior fragile(caf::stateful_actor<fragile_state>* self, environment_ptr env, int* restarts) {
  return self->state.start(std::move(env), restarts);
}

struct guarded_actor {
  guarded_actor() {
    auto e = std::make_shared<environment>();
    e->clock = clock;
    e->log = log;
    subject = sys.spawn(fragile, environment_ptr{e}, &restarts);
    sched.run();
  }
  ~guarded_actor() {
    caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
    subject = nullptr;
    sched.run();
  }
  guarded_actor(const guarded_actor&) = delete;
  guarded_actor& operator=(const guarded_actor&) = delete;

  // What comes back: a value, or the error's code as a negative number.
  int ask(int how) {
    int found = 0;
    auto request = self->request(subject, seconds{1}, perform_atom_v, how);
    sched.run();
    request.receive([&](int value) { found = value; },
                    [&](caf::error& e) { found = -static_cast<int>(failure_of(e)->code); });
    return found;
  }

  bool ended() {
    bool down = false;
    self->monitor(subject);
    sched.run();
    self->receive([&](caf::down_msg&) { down = true; }, caf::after(std::chrono::nanoseconds{0}) >> [] {});
    if (!down) {
      self->demonitor(subject);
    }
    return down;
  }

  std::shared_ptr<hand_clock> clock = std::make_shared<hand_clock>();
  std::shared_ptr<list_log> log = std::make_shared<list_log>();
  int restarts = 0;
  test::actor_config cfg{1, caf::atom("testing")};
  caf::actor_system sys{cfg};
  caf::scheduler::test_coordinator& sched = dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  caf::scoped_actor self{sys};
  caf::actor subject;
};

}  // namespace

BOOST_AUTO_TEST_CASE(five_restarts_a_minute_are_allowed) {
  restart_budget budget;
  const time_point start{};
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(budget.note(start + seconds{i}));
  }
  BOOST_TEST(!budget.note(start + seconds{59}));
  BOOST_TEST(budget.note(start + seconds{60}));
  BOOST_TEST(!budget.note(start + milliseconds{60500}));
}

BOOST_FIXTURE_TEST_CASE(exception_is_answered_and_the_actor_lives, guarded_actor) {
  BOOST_TEST(ask(1) == -static_cast<int>(errc::internal));
  BOOST_TEST(restarts == 1);
  BOOST_TEST(ask(7) == 7);
  BOOST_REQUIRE(log->lines.size() == 1U);
  BOOST_TEST(log->lines[0] == "fragile: a handler failed; restarted in place exception=std::runtime_error");
}

BOOST_FIXTURE_TEST_CASE(an_actor_without_a_restart_does_not_say_that_it_restarted, guarded_actor) {
  auto e = std::make_shared<environment>();
  e->clock = clock;
  e->log = log;
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  subject = sys.spawn(fragile, environment_ptr{e}, static_cast<int*>(nullptr));
  sched.run();
  BOOST_TEST(ask(1) == -static_cast<int>(errc::internal));
  BOOST_TEST(ask(7) == 7);
  BOOST_REQUIRE(log->lines.size() == 1U);
  BOOST_TEST(log->lines[0] ==
             "fragile: a handler failed; it goes on with the next message exception=std::runtime_error");
}

BOOST_FIXTURE_TEST_CASE(exception_of_a_plain_message_is_contained, guarded_actor) {
  self->send(subject, flush_atom_v);
  sched.run();
  BOOST_TEST(ask(7) == 7);
  BOOST_TEST(restarts == 1);
}

BOOST_FIXTURE_TEST_CASE(too_many_exceptions_end_the_actor, guarded_actor) {
  for (int i = 0; i < 6; ++i) {
    BOOST_TEST(!ended());
    BOOST_TEST(ask(1) == -static_cast<int>(errc::internal));
  }
  BOOST_TEST(restarts == 5);
  BOOST_TEST(ended());
  BOOST_TEST(log->lines.back() == "fragile: a handler failed; ending exception=std::runtime_error");
}

BOOST_FIXTURE_TEST_CASE(failed_restart_ends_the_actor, guarded_actor) {
  restarts = 100;
  BOOST_TEST(ask(1) == -static_cast<int>(errc::internal));
  BOOST_TEST(ended());
}

BOOST_FIXTURE_TEST_CASE(no_secret_of_an_exception_is_logged, guarded_actor) {
  ask(1);
  self->send(subject, flush_atom_v);
  sched.run();
  for (const auto& line : log->lines) {
    BOOST_TEST(line.find("hunter2") == std::string::npos);
  }
}

BOOST_FIXTURE_TEST_CASE(unexpected_messages_are_dropped_in_silence, guarded_actor) {
  self->send(subject, std::string{"what is this"});
  sched.run();
  bool told = false;
  self->receive([&](caf::error&) { told = true; }, caf::after(std::chrono::nanoseconds{0}) >> [] {});
  BOOST_TEST(!told);
  BOOST_TEST(ask(7) == 7);
}

BOOST_FIXTURE_TEST_CASE(unexpected_request_gets_an_error, guarded_actor) {
  errc code = errc::none;
  auto request = self->request(subject, seconds{1}, std::string{"what is this"});
  sched.run();
  request.receive([] {}, [&](caf::error& e) { code = failure_of(e)->code; });
  BOOST_TEST(static_cast<int>(code) == static_cast<int>(errc::internal));
  BOOST_TEST(ask(7) == 7);
}

BOOST_FIXTURE_TEST_CASE(only_orders_of_a_supervisor_end_the_actor, guarded_actor) {
  caf::anon_send_exit(subject, caf::exit_reason::unhandled_exception);
  caf::anon_send(subject, caf::make_error(errc::internal));
  sched.run();
  BOOST_TEST(!ended());
  caf::anon_send_exit(subject, caf::exit_reason::user_shutdown);
  sched.run();
  BOOST_TEST(ended());
}
