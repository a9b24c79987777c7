// What a caller is told when no server can take a request.
#include "understudy/actors/circuit_breaker/refusal.hpp"
#include "moments.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

bool says(const failure& f, std::string_view part) { return f.message.find(part) != std::string::npos; }

refused_server open_server(std::string name, std::int64_t ms, int retry) {
  return {std::move(name), false, breaker_state::open, {refused("boom."), at(ms).wall}, milliseconds{retry}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_refusal_names_every_server_its_cause_and_time) {
  const auto f = refusal({open_server("a:389", 0, 900), open_server("b:389", 5000, 400)}, nullptr);
  BOOST_TEST(f.code == errc::breaker_open);
  BOOST_TEST(says(f, "a:389 is held open by its breaker since it failed at " + utc(at(0).wall)));
  BOOST_TEST(says(f, "b:389 is held open by its breaker since it failed at " + utc(at(5000).wall)));
  BOOST_TEST(says(f, "connection_failed: boom)"));
  BOOST_TEST(says(f, "probed meanwhile and tried in 900 ms at the latest"));
  BOOST_TEST(f.retry_after->count() == 400);
  BOOST_TEST(f.cause == "b:389: boom.");
  BOOST_TEST((*f.cause_at == at(5000).wall));
}

BOOST_AUTO_TEST_CASE(a_refusal_carries_the_code_that_all_causes_share) {
  const auto failed = [](errc code, std::int64_t ms) {
    failure f;
    f.code = code;
    f.message = "boom";
    return breaker_cause{std::make_shared<const failure>(f), at(ms).wall};
  };
  const auto open = [&](errc code, std::int64_t ms) {
    return refused_server{"a:389", false, breaker_state::open, failed(code, ms), {}};
  };
  const auto tls = open(errc::ssl_error, 0), dead = open(errc::connection_failed, 1);
  BOOST_TEST(refusal({tls}, nullptr).cause_code == errc::ssl_error);
  BOOST_TEST(refusal({tls, open(errc::ssl_error, 9)}, nullptr).cause_code == errc::ssl_error);
  BOOST_TEST(refusal({tls, dead}, nullptr).cause_code == errc::none);
  BOOST_TEST(refusal({dead, tls}, nullptr).cause_code == errc::none);
  // Those that would not have been asked anyway have no say.
  refused_server suspended{"b:389", false, breaker_state::suspended, failed(errc::connection_failed, 0), {}};
  refused_server reader{"c:389", true, breaker_state::open, failed(errc::connection_failed, 0), {}};
  BOOST_TEST(refusal({tls, suspended, reader}, nullptr).cause_code == errc::ssl_error);
}

BOOST_AUTO_TEST_CASE(a_write_with_only_read_only_servers_finds_no_server) {
  refused_server reader{"a:389", true, breaker_state::closed, {}, {}};
  const auto f = refusal({reader}, nullptr);
  BOOST_TEST(f.code == errc::no_server);
  BOOST_TEST(says(f, "a:389 is read_only and takes no writes"));
  BOOST_TEST(!f.retry_after.has_value());
}

BOOST_AUTO_TEST_CASE(a_write_whose_writable_server_is_open_is_held_by_the_breaker) {
  refused_server reader{"a:389", true, breaker_state::closed, {}, {}};
  const auto f = refusal({reader, open_server("b:389", 0, 70)}, nullptr);
  BOOST_TEST(f.code == errc::breaker_open);
  BOOST_TEST(f.retry_after->count() == 70);
}

BOOST_AUTO_TEST_CASE(suspended_servers_are_no_breakers_doing) {
  const auto f = refusal({{"a:389", false, breaker_state::suspended, {}, {}}}, nullptr);
  BOOST_TEST(f.code == errc::no_server);
  BOOST_TEST(says(f, "a:389 is suspended by hand"));
}

BOOST_AUTO_TEST_CASE(a_half_open_server_waits_for_a_probe_and_no_time) {
  auto s = open_server("a:389", 0, 100);
  s.state = breaker_state::half_open;
  const auto f = refusal({s}, nullptr);
  BOOST_TEST(says(f, "as soon as it answers a probe"));
  BOOST_TEST(!says(f, "100 ms"));
}

BOOST_AUTO_TEST_CASE(no_servers_at_all_is_said_plainly) {
  const auto f = refusal({}, nullptr);
  BOOST_TEST(f.code == errc::no_server);
  BOOST_TEST(says(f, "No server is configured"));
}

BOOST_AUTO_TEST_CASE(the_reason_of_the_redispatch_stands_in_when_no_breaker_knows_one) {
  refused_server reader{"a:389", true, breaker_state::closed, {}, {}};
  const auto f = refusal({reader}, refused("reset by peer"));
  BOOST_TEST(f.cause == "reset by peer");
  BOOST_TEST(f.cause_code == errc::connection_failed);
}
