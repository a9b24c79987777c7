// The service's credentials as connections meet them: one bind at a time, refusals, sources read on workers.
#include "manager_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

using kind = credential_verdict::kind;

struct with_password : manager_fixture {
  with_password() { start(); }
  explicit with_password(std::string path) : manager_fixture(2) {
    for (auto& server : all.servers) {
      server.password = {};
      server.password_file = path;
    }
  }

  answer_ptr<credential> bind(server_id server) {
    auto answer = virtual_runtime::start<credential>(manager, credential_atom_v, server);
    run();
    return answer;
  }

  void on_verdict(const answer_ptr<credential>& granted, kind verdict, server_id server = 0) {
    credential_verdict v;
    v.server = server;
    v.version = granted->value->version;
    v.what = verdict;
    tell(manager, credential_atom_v, v);
  }
};

struct with_file : with_password {
  with_file() : with_password("/run/secret") {
    secrets["/run/secret"] = "hunter2";
    start();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(second_bind_waits_for_the_verdict_on_the_first, with_password) {
  const auto first = bind(0), second = bind(1);
  BOOST_REQUIRE(first->ok());
  BOOST_TEST(first->value->bind_dn == "cn=service");
  BOOST_TEST(first->value->password.reveal() == "hunter2");
  BOOST_TEST(!second->done());
  on_verdict(first, kind::accepted);
  BOOST_TEST(second->ok());
}

BOOST_FIXTURE_TEST_CASE(refusal_reaches_everyone_and_the_status, with_password) {
  const auto first = bind(0), second = bind(1);
  on_verdict(first, kind::refused);
  BOOST_TEST((second->code() == errc::service_authentication_failed));
  BOOST_TEST((bind(0)->code() == errc::service_authentication_failed));
  BOOST_TEST(ask<runtime_snapshot>(manager, status_atom_v).value->credentials_refused);
  BOOST_TEST(log->count("the directory refused the service's password") == 1U);
}

BOOST_FIXTURE_TEST_CASE(resuming_a_server_allows_another_try, with_password) {
  on_verdict(bind(0), kind::refused);
  BOOST_TEST(*ask<bool>(manager, resume_atom_v, server_id{1}).value);
  BOOST_TEST(bind(1)->ok());
}

BOOST_FIXTURE_TEST_CASE(holder_that_vanished_loses_its_turn, with_password) {
  bind(0);
  const auto second = bind(1);
  advance(seconds{10});
  BOOST_TEST(second->ok());
}

BOOST_FIXTURE_TEST_CASE(file_is_read_on_a_worker, with_file) {
  workers->hold(true);
  const auto first = bind(0);
  BOOST_TEST(!first->done());
  workers->hold(false);
  run();
  BOOST_REQUIRE(first->ok());
  BOOST_TEST(first->value->password.reveal() == "hunter2");
}

BOOST_FIXTURE_TEST_CASE(busy_workers_are_an_error_not_a_wait, with_file) {
  workers->refuse(true);
  const auto first = bind(0);
  BOOST_TEST((first->code() == errc::service_authentication_failed));
  BOOST_TEST(first->error->message.find("too many other reads") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(worker_that_hangs_keeps_nobody, with_file) {
  workers->hold(true);
  const auto first = bind(0);
  advance(seconds{11});
  BOOST_TEST((first->code() == errc::service_authentication_failed));
  workers->hold(false);
}

BOOST_FIXTURE_TEST_CASE(worker_that_hangs_delays_nobody_whose_password_was_accepted, with_file) {
  all.breaker.suspect_after = milliseconds{500};
  start();
  on_verdict(bind(0), kind::accepted);
  advance(seconds{60});
  workers->hold(true);
  const auto again = bind(1);
  advance(milliseconds{499});
  BOOST_TEST(!again->done());
  advance(milliseconds{1});
  BOOST_REQUIRE(again->ok());
  BOOST_TEST(again->value->password.reveal() == "hunter2");
  workers->hold(false);
}

BOOST_FIXTURE_TEST_CASE(missing_file_is_named, with_file) {
  secrets.clear();
  const auto first = bind(0);
  BOOST_TEST(first->error->message.find("/run/secret is not there") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(changed_file_is_tried_by_the_next_bind, with_file) {
  on_verdict(bind(0), kind::refused);
  secrets["/run/secret"] = "hunter3";
  advance(seconds{5});
  const auto again = bind(1);
  BOOST_REQUIRE(again->ok());
  BOOST_TEST(again->value->password.reveal() == "hunter3");
  on_verdict(again, kind::accepted);
  BOOST_TEST(!ask<runtime_snapshot>(manager, status_atom_v).value->credentials_refused);
}

BOOST_FIXTURE_TEST_CASE(those_who_wait_at_the_end_are_told, with_password) {
  bind(0);
  const auto second = bind(1);
  tell(manager, drain_atom_v, now());
  BOOST_TEST((second->code() == errc::draining));
}
