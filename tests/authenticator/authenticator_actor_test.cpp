// Logins as messages, in an actor system of the test's own.
#include "understudy/runtime/authenticator_actor.hpp"

#include "authenticator/played_dialogue.hpp"
#include "support/eventually.hpp"
#include "support/stub_directory.hpp"
#include "understudy/config/problem.hpp"
#include "understudy/runtime/runtime.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

using namespace understudy;
using namespace std::chrono_literals;
using test::directory_request;
using test::operation;
using test::reply;
using test::stub_directory;

namespace {

struct prepared_config : caf::actor_system_config {
  prepared_config() { understudy::configure(*this); }
};

authenticator_settings below_example() {
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  return how;
}

struct actor_fixture {
  /// The answer to a message, or the failure of the error that came in its place.
  template <class Result, class... Ts>
  Result ask(Ts... xs) {
    Result got{};
    caf::scoped_actor self{system};
    self->request(logins, 60s, std::move(xs)...)
        .receive([&](Result& result) { got = std::move(result); },
                 [&](const caf::error& e) { failed = failure_of(e); });
    return got;
  }
  settings_ptr at_stub() const {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = directory.port();
    settings all;
    all.servers = {info};
    return std::make_shared<const settings>(std::move(all));
  }

  stub_directory directory{{.passwords = {{"", ""}, {test::jane, "right"}}}};
  prepared_config config;
  caf::actor_system system{config};
  runtime service{system, at_stub()};
  authenticator_actor logins = spawn_authenticator(service, below_example());
  failure_ptr failed;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_call_of_an_authenticator_is_a_message_too, actor_fixture) {
  const auto right = ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"});
  BOOST_TEST(right.outcome == login_outcome::ok, right.detail);
  BOOST_TEST(right.dn == test::jane);
  BOOST_TEST(ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"wrong"}).outcome ==
             login_outcome::bad_credentials);
  BOOST_TEST(ask<lookup_result>(lookup_atom_v, user_query{"jane"}).user.dn == test::jane);
  BOOST_TEST(ask<group_result>(groups_atom_v, user_query{"jane"}).outcome == login_outcome::ok);
  directory.on(operation::search, [&](const directory_request& asked) {
    if (asked.filter.find("(member=") == std::string::npos) return directory.usual(asked);
    return reply{{.entries = {{"cn=staff", {}}}}, {}};
  });
  const auto groups = ask<group_result>(groups_atom_v, user_query{"jane"}, group_strategy::member);
  BOOST_TEST_REQUIRE(groups.groups.size() == 1U);
  BOOST_TEST(groups.groups[0].name == "staff");
  BOOST_TEST(ask<fetch_result>(fetch_atom_v, user_query{"cn=x,dc=example,dc=com"}).entries.size() == 1U);
  const auto changed = ask<password_change_result>(change_password_atom_v, user_query{"jane"}, secret{"right"},
                                                   secret{"new"}, password_method::extended);
  BOOST_TEST(changed.outcome == login_outcome::ok, changed.detail);
  BOOST_TEST(failed == nullptr);
}

BOOST_FIXTURE_TEST_CASE(messages_have_deadlines_tokens_and_settings_of_their_own, actor_fixture) {
  directory.disturb(operation::bind, {.silent = true});
  const auto late = ask<login_result>(authenticate_atom_v, user_query{"jane", {}, 200ms}, secret{"right"});
  BOOST_TEST(late.outcome == login_outcome::unavailable, late.detail);
  BOOST_TEST(late.retryable);
  directory.forget_rules();
  auto token = std::make_shared<cancel_token>();
  token->cancel();
  const auto before = directory.count(operation::bind);
  const auto cancelled = ask<login_result>(authenticate_atom_v, user_query{"jane", {}, {}, token}, secret{"right"});
  BOOST_TEST(cancelled.outcome == login_outcome::unavailable);
  BOOST_TEST_REQUIRE(cancelled.failed != nullptr);
  BOOST_TEST((cancelled.failed->code == errc::cancelled));
  BOOST_TEST(directory.count(operation::bind) == before);

  auto how = below_example();
  how.cache_ttl = 1h;
  BOOST_TEST(ask<bool>(reload_atom_v, how));
  BOOST_TEST(!ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}).cached);
  BOOST_TEST(ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}).cached);
  caf::anon_send(logins, forget_atom_v, std::string{"jane"});
  BOOST_TEST(!ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}).cached);
  caf::anon_send(logins, forget_atom_v);
  BOOST_TEST(!ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}).cached);
  BOOST_TEST(!ask<bool>(reload_atom_v, authenticator_settings{}));
  BOOST_TEST_REQUIRE(failed != nullptr);
  BOOST_TEST((failed->code == errc::invalid_request));
  BOOST_TEST(ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}).cached);
  BOOST_CHECK_THROW(spawn_authenticator(service, authenticator_settings{}), config_error);
}

BOOST_FIXTURE_TEST_CASE(a_change_by_message_is_forgotten_under_settings_that_came_meanwhile, actor_fixture) {
  auto how = below_example();
  how.cache_ttl = 1h;
  const auto log_in = [&] { return ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}); };
  directory.disturb(operation::password_modify, {.silent = true});
  const auto token = std::make_shared<cancel_token>();
  caf::scoped_actor self{system};
  auto changed = self->request(logins, 60s, change_password_atom_v, user_query{"jane", {}, 1h, token}, secret{"right"},
                               secret{"new"}, password_method::extended);
  BOOST_TEST_REQUIRE(test::eventually([&] { return directory.count(operation::password_modify) > 0; }));
  BOOST_TEST(ask<bool>(reload_atom_v, how));
  BOOST_TEST(!log_in().cached);
  BOOST_TEST(log_in().cached);
  // Nobody knows whether the password is still the same. The token alone ends nothing that was sent.
  token->cancel();
  caf::anon_send(service.router(), cancel_atom_v, token);
  changed.receive([](const password_change_result& end) { BOOST_TEST(end.outcome == login_outcome::unavailable); },
                  [](const caf::error&) { BOOST_ERROR("no outcome"); });
  const auto after = log_in();
  BOOST_TEST(after.outcome == login_outcome::ok, after.detail);
  BOOST_TEST(!after.cached);
}

BOOST_FIXTURE_TEST_CASE(what_was_remembered_before_a_change_by_message_is_forgotten, actor_fixture) {
  auto how = below_example();
  how.cache_ttl = 1h;
  BOOST_TEST(ask<bool>(reload_atom_v, how));
  const auto log_in = [&] { return ask<login_result>(authenticate_atom_v, user_query{"jane"}, secret{"right"}); };
  BOOST_TEST(!log_in().cached);
  BOOST_TEST(log_in().cached);
  const auto change = [&] {
    return ask<password_change_result>(change_password_atom_v, user_query{"jane"}, secret{"right"}, secret{"new"},
                                       password_method::extended);
  };
  // One that the directory refuses changes nothing.
  const auto refusal = directory.on(operation::password_modify, reply{{.code = 19}, {}});
  BOOST_TEST(!change());
  BOOST_TEST(log_in().cached);
  directory.forget(refusal);
  directory.set_passwords({{"", ""}, {test::jane, "new"}});
  BOOST_TEST(static_cast<bool>(change()));
  BOOST_TEST(log_in().outcome == login_outcome::bad_credentials);
}

BOOST_FIXTURE_TEST_CASE(parallel_messages_about_one_user_share_requests, actor_fixture) {
  caf::scoped_actor self{system};
  // Nothing is read until all of them have been sent: equal searches find the first one under way.
  directory.pause();
  const auto send = [&] {
    return self->request(logins, 60s, authenticate_atom_v, user_query{"jane"}, secret{"right"});
  };
  std::vector<decltype(send())> handles;
  for (int i = 0; i < 50; ++i) handles.push_back(send());
  // What an actor was told before is done when this is answered: an empty name needs no directory.
  BOOST_TEST(ask<login_result>(authenticate_atom_v, user_query{""}, secret{"x"}).outcome ==
             login_outcome::no_such_user);
  directory.resume();
  int accepted = 0;
  for (auto& each : handles)
    each.receive([&](const login_result& login) { accepted += login.outcome == login_outcome::ok; },
                 [&](const caf::error& e) { failed = failure_of(e); });
  BOOST_TEST(accepted == 50);
  BOOST_TEST(failed == nullptr);
  std::size_t searches = 0;
  for (const auto& asked : directory.requests(operation::search)) searches += asked.filter == "(uid=jane)";
  BOOST_TEST(searches == 1U);
}
