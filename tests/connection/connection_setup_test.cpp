// How a connection comes up, step by step: made-up bytes, virtual time, and no connection behind it.
#include "understudy/actors/connection/connection_setup.hpp"
#include "connection/state_harness.hpp"
#include "support/contains.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

using verdict = credential_verdict::kind;

/// Certificates are there at once unless a test says otherwise.
struct securing_wire final : made_up_wire {
  int begun = 0;
  tls_start begins{};
  tls_start secure() override {
    ++begun;
    return begins;
  }
};

using actions = std::vector<setup_action::any>;

template <class Action>
const Action* find(const actions& all) {
  for (const auto& action : all)
    if (const auto* found = std::get_if<Action>(&action)) return found;
  return nullptr;
}

template <class Action>
Action get(const actions& all) {
  const auto* found = find<Action>(all);
  BOOST_TEST_REQUIRE(found != nullptr);
  return *found;
}

template <class Action>
std::ptrdiff_t count(const actions& all) {
  return std::count_if(all.begin(), all.end(), [](const auto& a) { return std::holds_alternative<Action>(a); });
}

std::size_t place_of(const setup_action::any& kind, const actions& all) {
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].index() == kind.index()) return i;
  return all.size();
}

result answer_of(int code) {
  result answer;
  answer.code = code;
  return answer;
}

/// A server without TLS whose service is anonymous, until a test says otherwise.
class setup_rig {
 public:
  setup_rig() {
    server.host = "ldap1";
    server.timeout = seconds{10};
  }

  settings all;
  connection_info server;
  connection_kind kind = connection_kind::pooled;
  time_point now = time_point{} + std::chrono::hours{1};
  securing_wire wire;
  connection_load_ptr load = std::make_shared<connection_load>();

  /// Twice what the server is known to take for a connection.
  duration usual() const { return pace_->patience(false); }
  /// Made when it is needed first: settings count until then. (Boost.Test calls a "setup" by itself.)
  connection_setup& tested() {
    if (!setup_) {
      world_.emplace(connection_dependencies{7, kind, true, 3, name_, server, all, load, pace_,
                                             std::make_shared<unanswered_requests>(), std::make_shared<retry_budget>(),
                                             safe_to_repeat, [] { return wall_time{}; }, make_random(1)});
      setup_.emplace(*world_, wire, now);
    }
    return *setup_;
  }
  template <class Event>
  actions after(Event event) {
    tested().begin_turn(now);
    event(tested());
    tested().finish_turn();
    return tested().take_actions();
  }
  actions after_tick() {
    return after([](connection_setup& s) { s.tick(); });
  }
  actions pass(duration span) {
    now += span;
    return after_tick();
  }
  /// As far as an address that is dialled.
  actions dial(int addresses = 1) {
    resolution found;
    for (int i = 1; i <= addresses; ++i) {
      const auto text = "192.0.2." + std::to_string(i);
      found.addresses.push_back({2, text, text + ":389"});
    }
    BOOST_TEST(count<connection_action::resolve>(after([](connection_setup& s) { s.start(); })) == 1);
    return after([&](connection_setup& s) { s.on_resolved(found); });
  }
  /// The address of that number takes the connection, on a socket of that number and one.
  actions connect(std::size_t number = 0) {
    return after([&](connection_setup& s) {
      s.reached(number, number + 1);
      s.on_connected();
    });
  }
  actions answer(int code = result_code::success) {
    return after([&](connection_setup& s) { s.answered(answer_of(code)); });
  }
  actions give(const credential& given, std::uint64_t socket = 1) {
    return after([&](connection_setup& s) { s.on_credential(given, socket); });
  }

 private:
  std::string name_ = "ldap1:389";
  std::shared_ptr<server_pace> pace_ = std::make_shared<server_pace>();
  std::optional<connection_dependencies> world_;
  std::optional<connection_setup> setup_;
};

struct binding_rig : setup_rig {
  binding_rig() { server.bind_dn = "cn=service"; }
  credential service() const { return {"cn=service", secret{"right"}, 5, 2}; }
  void become_ready() {
    dial();
    connect();
    give(service());
    BOOST_TEST(count<setup_action::ready>(answer()) == 1);
  }
};

}  // namespace

// ---- without a bind ----

BOOST_FIXTURE_TEST_CASE(an_answer_makes_it_ready_and_nothing_less, setup_rig) {
  BOOST_TEST(get<connection_action::dial>(dial()).to.text == "192.0.2.1:389");
  const auto connected = connect();
  BOOST_TEST(count<setup_action::ready>(connected) == 0);
  BOOST_TEST((get<setup_action::ask>(connected).request == root_dse_read()));
  BOOST_TEST((get<setup_action::ask>(connected).deadline == now + seconds{10}));
  now += milliseconds{30};
  const auto answered = answer();
  BOOST_TEST((get<connection_action::established>(answered).took == milliseconds{30}));
  BOOST_TEST(place_of(connection_action::established{}, answered) < place_of(setup_action::ready{}, answered));
  BOOST_TEST((tested().next_event() == time_point::max()));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_is_there_for_nobody_is_not_ready, setup_rig) {
  dial();
  connect();
  const auto answered = answer(result_code::unavailable);
  BOOST_TEST(count<setup_action::ready>(answered) == 0);
  BOOST_TEST((get<setup_action::failed>(answered).why->ldap_code == result_code::unavailable));
  BOOST_TEST(!wire.is_open());
}

BOOST_FIXTURE_TEST_CASE(any_other_answer_shows_that_it_lives, setup_rig) {
  dial();
  connect();
  BOOST_TEST(count<setup_action::ready>(answer(result_code::insufficient_access)) == 1);
}

BOOST_FIXTURE_TEST_CASE(silence_is_waited_for_until_the_deadline, setup_rig) {
  dial();
  connect();
  BOOST_TEST((tested().next_event() <= now + seconds{10}));
  BOOST_TEST(pass(seconds{10} - milliseconds{1}).empty());
  const auto late = pass(milliseconds{1});
  BOOST_TEST((get<setup_action::failed>(late).why->code == errc::connection_timeout));
  BOOST_TEST((get<setup_action::failed>(late).why->where == stage::operation));
  BOOST_TEST(count<setup_action::forget_asked>(late) == 1);
}

BOOST_FIXTURE_TEST_CASE(an_address_that_fails_is_given_up_before_the_next_is_dialled, setup_rig) {
  dial(2);
  connect();
  const auto next = after([&](connection_setup& s) {
    s.address_failed(s.server_failure(errc::connection_failed, stage::operation, "reset by peer"));
  });
  BOOST_TEST(get<connection_action::dial>(next).to.text == "192.0.2.2:389");
  BOOST_TEST(place_of(setup_action::forget_asked{}, next) < place_of(connection_action::dial{}, next));
  BOOST_TEST(count<setup_action::failed>(next) == 0);
  BOOST_TEST(tested().socket() == 0U);
  BOOST_TEST(tested().state_name() == std::string{"connecting"});
  connect(1);
  BOOST_TEST(tested().socket() == 2U);
  const auto ended = after([&](connection_setup& s) {
    s.address_failed(s.server_failure(errc::connection_failed, stage::operation, "reset by peer too"));
  });
  const auto why = get<setup_action::failed>(ended).why;
  BOOST_TEST(contains(why->message, "192.0.2.1:389: reset by peer; "), why->message);
  BOOST_TEST(contains(why->message, "192.0.2.2:389: reset by peer too"), why->message);
}

BOOST_AUTO_TEST_CASE(a_name_without_addresses_and_a_uri_without_a_host_come_to_nothing) {
  setup_rig nameless;
  const auto found = [&] {
    nameless.after([](connection_setup& s) { s.start(); });
    return nameless.after([](connection_setup& s) { s.on_resolved({}); });
  }();
  BOOST_TEST((get<setup_action::failed>(found).why->where == stage::resolve));
  setup_rig hostless;
  hostless.server.host.clear();
  hostless.server.uri = "ldapx://";
  const auto begun = hostless.after([](connection_setup& s) { s.start(); });
  BOOST_TEST((get<setup_action::failed>(begun).why->code == errc::invalid_config));
  BOOST_TEST(count<connection_action::resolve>(begun) == 0);
}

// ---- TLS ----

BOOST_FIXTURE_TEST_CASE(nothing_is_sent_in_plain_text_when_start_tls_is_refused, binding_rig) {
  server.use_tls = true;
  dial();
  BOOST_TEST(std::holds_alternative<extended_request>(get<setup_action::ask>(connect()).request->op));
  const auto refused = answer(result_code::protocol_error);
  BOOST_TEST((get<setup_action::failed>(refused).why->code == errc::ssl_error));
  BOOST_TEST(count<connection_action::ask_for_credential>(refused) == 0);
  BOOST_TEST(wire.binds.empty());
  BOOST_TEST(wire.begun == 0);
}

BOOST_FIXTURE_TEST_CASE(the_bind_waits_for_the_handshake, binding_rig) {
  server.use_tls = true;
  dial();
  connect();
  const auto granted = answer();
  BOOST_TEST(get<connection_action::shake_hands>(granted).socket == 1U);
  BOOST_TEST(count<connection_action::ask_for_credential>(granted) == 0);
  BOOST_TEST(tested().state_name() == std::string{"securing"});
  const auto secured = after([](connection_setup& s) { s.on_secured(); });
  BOOST_TEST(get<connection_action::ask_for_credential>(secured).socket == 1U);
  BOOST_TEST(tested().waits_for_credential());
}

BOOST_FIXTURE_TEST_CASE(waiting_for_certificates_is_no_failure_of_the_server, setup_rig) {
  server.use_ssl = true;
  wire.begins.waits = true;
  dial(2);
  BOOST_TEST(count<connection_action::shake_hands>(connect()) == 0);
  BOOST_TEST(tested().waits_for_certificates());
  // Neither the end of patience with an address nor that of the attempt is the server's.
  BOOST_TEST(pass(seconds{9}).empty());
  BOOST_TEST(load->held_up.load());
  wire.begins.waits = false;
  const auto there = after([](connection_setup& s) { s.begin_tls(); });
  BOOST_TEST(count<connection_action::shake_hands>(there) == 1);
  BOOST_TEST(!tested().waits_for_certificates());
  const auto secured = after([](connection_setup& s) { s.on_secured(); });
  BOOST_TEST((get<setup_action::ask>(secured).deadline == now + seconds{10}));
}

BOOST_FIXTURE_TEST_CASE(certificates_that_never_come_end_it_on_our_account, setup_rig) {
  server.use_ssl = true;
  wire.begins.waits = true;
  dial();
  connect();
  const auto late = pass(seconds{10});
  BOOST_TEST((get<setup_action::failed>(late).why->where == stage::queue));
  BOOST_TEST(contains(get<setup_action::failed>(late).why->message, "client's certificate"));
}

// ---- the service's bind ----

BOOST_FIXTURE_TEST_CASE(an_accepted_bind_is_judged_before_it_is_ready, binding_rig) {
  dial();
  connect();
  const auto given = give(service());
  BOOST_TEST((wire.binds == std::vector<std::string>{"cn=service"}));
  BOOST_TEST(count<setup_action::ask>(given) == 1);
  const auto accepted = answer();
  const auto judged = get<connection_action::report_verdict>(accepted).verdict;
  BOOST_TEST((judged.what == verdict::accepted && judged.version == 5));
  BOOST_TEST(place_of(connection_action::report_verdict{}, accepted) < place_of(setup_action::ready{}, accepted));
  BOOST_TEST(tested().secret_number() == 2U);
  BOOST_TEST(tested().auth_method() == "simple");
  // It was judged, and is not once more.
  BOOST_TEST(after([](connection_setup& s) { s.end(true, nullptr); }).empty());
  BOOST_TEST(wire.said_goodbye);
}

BOOST_FIXTURE_TEST_CASE(a_refused_one_ends_it_at_once, binding_rig) {
  dial(2);
  connect();
  give(service());
  const auto refused = answer(result_code::invalid_credentials);
  BOOST_TEST((get<connection_action::report_verdict>(refused).verdict.what == verdict::refused));
  BOOST_TEST((get<setup_action::failed>(refused).why->code == errc::service_authentication_failed));
  BOOST_TEST(count<connection_action::dial>(refused) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_credential_for_an_earlier_socket_is_not_used, binding_rig) {
  dial(2);
  connect(0);
  after([&](connection_setup& s) {
    s.address_failed(s.server_failure(errc::connection_failed, stage::bind, "reset by peer"));
  });
  connect(1);
  const auto stale = give(service(), 1);
  BOOST_TEST(wire.binds.empty());
  BOOST_TEST((get<connection_action::report_verdict>(stale).verdict.what == verdict::unknown));
  BOOST_TEST(tested().waits_for_credential());
  give(service(), 2);
  BOOST_TEST(wire.binds.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(one_that_comes_after_the_end_is_judged_all_the_same, binding_rig) {
  dial();
  connect();
  after([](connection_setup& s) { s.end(false, nullptr); });
  BOOST_TEST(tested().waits_for_credential());
  const auto late = give(service());
  BOOST_TEST((get<connection_action::report_verdict>(late).verdict.what == verdict::unknown));
  BOOST_TEST(count<setup_action::failed>(late) == 0);
  BOOST_TEST(wire.binds.empty());
  BOOST_TEST(!tested().waits_for_credential());
}

BOOST_FIXTURE_TEST_CASE(a_bind_that_would_be_anonymous_is_not_sent, binding_rig) {
  dial();
  connect();
  const auto empty = give({"cn=service", secret{""}, 5, 2});
  BOOST_TEST((get<setup_action::failed>(empty).why->code == errc::invalid_config));
  BOOST_TEST(wire.binds.empty());
  const auto ended = after([&](connection_setup& s) { s.end(false, get<setup_action::failed>(empty).why); });
  BOOST_TEST((get<connection_action::report_verdict>(ended).verdict.what == verdict::unknown));
}

BOOST_FIXTURE_TEST_CASE(while_the_credential_is_waited_for_the_server_shows_whether_it_lives, binding_rig) {
  dial();
  connect();
  BOOST_TEST((tested().next_event() == now + milliseconds{50}));
  const auto asked = pass(milliseconds{50});
  BOOST_TEST((get<setup_action::ask>(asked).request == root_dse_read()));
  // What comes now is of no use yet; it is asked for again.
  BOOST_TEST((get<connection_action::report_verdict>(give(service())).verdict.what == verdict::unknown));
  BOOST_TEST(wire.binds.empty());
  const auto alive = answer(result_code::insufficient_access);
  BOOST_TEST(count<connection_action::ask_for_credential>(alive) == 1);
  give(service());
  BOOST_TEST(wire.binds.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(where_there_is_nobody_to_bind_as_an_answer_makes_it_ready_all_the_same, binding_rig) {
  dial();
  connect();
  const auto given = give({});
  BOOST_TEST(wire.binds.empty());
  BOOST_TEST((get<setup_action::ask>(given).request == root_dse_read()));
  BOOST_TEST(count<setup_action::ready>(given) == 0);
  BOOST_TEST(count<setup_action::ready>(answer()) == 1);
}

BOOST_AUTO_TEST_CASE(a_connection_that_waited_for_us_says_nothing_of_how_long_its_server_takes) {
  for (const bool waits : {false, true}) {
    binding_rig rig;
    rig.dial();
    rig.connect();
    if (waits) rig.pass(milliseconds{40});
    rig.give(rig.service());
    rig.pass(milliseconds{5});
    BOOST_TEST(count<setup_action::ready>(rig.answer()) == 1);
    BOOST_TEST((rig.usual() == 2 * milliseconds{waits ? 0 : 5}));
  }
}

BOOST_FIXTURE_TEST_CASE(a_server_that_closes_at_that_question_is_bound_to_all_the_same, binding_rig) {
  dial();
  connect();
  pass(milliseconds{50});
  const auto again = after([&](connection_setup& s) {
    s.address_failed(s.server_failure(errc::connection_failed, stage::operation, "closed by the server"));
  });
  BOOST_TEST(get<connection_action::dial>(again).to.text == "192.0.2.1:389");
  connect();
  BOOST_TEST((tested().next_event() > now + milliseconds{50}));
  BOOST_TEST(count<setup_action::ask>(pass(milliseconds{50})) == 0);
}

// ---- again ----

BOOST_FIXTURE_TEST_CASE(it_is_bound_again_within_a_time_of_its_own, binding_rig) {
  become_ready();
  now += seconds{100};
  const auto asked = after([](connection_setup& s) { s.bind_again(); });
  BOOST_TEST(count<connection_action::ask_for_credential>(asked) == 1);
  // For as long as that takes, the server owes nothing.
  BOOST_TEST(pass(seconds{60}).empty());
  give(service());
  BOOST_TEST(pass(seconds{10} - milliseconds{1}).empty());
  const auto late = pass(milliseconds{1});
  BOOST_TEST((get<setup_action::failed>(late).why->code == errc::connection_timeout));
  BOOST_TEST((get<setup_action::failed>(late).why->where == stage::bind));
}

BOOST_FIXTURE_TEST_CASE(ready_again_is_not_established_again, binding_rig) {
  become_ready();
  after([](connection_setup& s) { s.bind_again(); });
  give(service());
  const auto accepted = answer();
  BOOST_TEST(count<setup_action::ready>(accepted) == 1);
  BOOST_TEST(count<connection_action::established>(accepted) == 0);
}
