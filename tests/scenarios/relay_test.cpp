// Somebody else's large searches, handed on in parts through breaker, pool and connections, and a reader who stops.
#include "scenarios/bare_runtime.hpp"
#include "support/relayed.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <future>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t people = 8000;

constexpr std::int32_t asker_id = 9;

request_ptr everybody() {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  return relayed(what, asker_id);
}

/// Reads everybody, passing nothing on until it is told to.
class reader {
 public:
  explicit reader(bare_runtime& it) : router_(it.get().router()), state_(std::make_shared<shared>()) {
    call what;
    what.what = everybody();
    what.deadline = std::chrono::steady_clock::now() + 60s;
    what.parts = 3;
    what.token = token_;
    auto end = state_->end.get_future();
    end_ = std::move(end);
    actor_ =
        it.get().system().spawn([state = state_, what, to = router_](caf::event_based_actor* self) -> caf::behavior {
          self->request(to, caf::infinite, perform_atom_v, what)
              .then(
                  [=](const result_ptr& value) {
                    state->messages += value->messages;
                    state->end.set_value(nullptr);
                    self->quit();
                  },
                  [=](const caf::error& e) {
                    state->end.set_value(failure_of(e));
                    self->quit();
                  });
          return {[=](batch_atom, std::uint64_t, const relayed_part& part) {
                    state->messages += part.messages;
                    state->id = part.id;
                    state->from = caf::actor_cast<connection_actor>(self->current_sender());
                    if (state->reads)
                      caf::anon_send(state->from, credit_atom_v, part.id, std::uint64_t{part.messages.size()});
                    state->came = state->messages.size();
                  },
                  // To go on.
                  [=](resume_atom) {
                    state->reads = true;
                    caf::anon_send(state->from, credit_atom_v, state->id, std::uint64_t{state->messages.size()});
                  }};
        });
  }
  std::size_t came() const { return state_->came; }
  void go_on() { caf::anon_send(actor_, resume_atom_v); }
  void give_up() {
    token_->cancel();
    caf::anon_send(router_, cancel_atom_v, token_);
  }
  failure_ptr end() {
    BOOST_TEST_REQUIRE((end_.wait_for(60s) == std::future_status::ready));
    return end_.get();
  }
  std::size_t entries() const { return entries_in(state_->messages, asker_id); }

 private:
  struct shared {
    std::string messages;
    std::int32_t id = 0;
    connection_actor from;
    bool reads = false;
    std::atomic<std::size_t> came{0};
    std::promise<failure_ptr> end;
  };
  circuit_breaker_actor router_;
  cancel_token_ptr token_ = std::make_shared<cancel_token>();
  std::shared_ptr<shared> state_;
  std::future<failure_ptr> end_;
  caf::actor actor_;
};

std::vector<entry> many_people() {
  std::vector<entry> all;
  for (std::size_t i = 0; i < people; ++i)
    all.push_back(
        {user_dn(static_cast<int>(i)), {{"uid", {"user" + std::to_string(i)}}, {"sn", {std::string(1000, 'x')}}}});
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_reader_who_stops_holds_up_no_other_request) {
  leak_guard leaks;
  stub_directory a, b;
  a.set_entries(many_people());
  b.set_entries(many_people());
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  // A check behind a reader would be read to its end too, and with it what the reader leaves unread.
  probe_nobody(all);
  all.pool.min_connections = 1;
  all.pool.max_connections = 2;
  bare_runtime it(all);
  BOOST_TEST_REQUIRE(it.connect());
  {
    background_load others(it, 4, [](int) { return make_request(whoami_request{}); });
    reader slow(it);
    // What was asked behind it is read to its end, on the same connection; what comes now goes to the other one.
    BOOST_TEST_REQUIRE(eventually([&] { return slow.came() > 256u * 1024; }));
    const auto so_far = others.succeeded();
    BOOST_TEST(eventually([&] { return others.succeeded() > so_far + 200; }));
    BOOST_TEST(server_in(it.snapshot(), a.port()).breaker_opened == 0u);
    slow.go_on();
    const auto why = slow.end();
    BOOST_TEST(why == nullptr, (why ? describe(*why) : ""));
    BOOST_TEST(slow.entries() == people);
    BOOST_TEST(others.finish());
    BOOST_TEST(others.failures().empty(), others.example());
  }
  reader gone(it);
  BOOST_TEST_REQUIRE(eventually([&] { return gone.came() > 256u * 1024; }));
  gone.give_up();
  const auto told = gone.end();
  BOOST_TEST_REQUIRE(told != nullptr);
  BOOST_TEST((told->code == errc::cancelled));
  end_scenario(it, {a, b});
}
