// Failures are classified by one table, described in one line, and survive their way through CAF's errors.
#include "support/print.hpp"
#include "understudy/messages/result.hpp"
#include "understudy/messages/snapshot.hpp"
#include "understudy/messages/type_ids.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <set>
#include <sstream>

using namespace understudy;

namespace {

struct row {
  stage where;
  errc code;
  int ldap_code;
  bool user_bind;
  failure_class expected;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_failure_has_the_class_that_the_design_gives_it) {
  using fc = failure_class;
  const std::vector<row> rows{
      {stage::connect, errc::connection_failed, 0, false, fc::transport},
      {stage::connect, errc::connection_timeout, 0, false, fc::transport},
      {stage::secure, errc::ssl_error, 0, false, fc::transport},
      {stage::bind, errc::connection_timeout, 0, false, fc::transport},
      {stage::operation, errc::connection_failed, 0, false, fc::transport},
      {stage::operation, errc::operation_timeout, 0, false, fc::slow},
      {stage::queue, errc::operation_timeout, 0, false, fc::caller},
      {stage::operation, errc::ldap_error, result_code::busy, false, fc::overload},
      {stage::operation, errc::ldap_error, result_code::unavailable, false, fc::overload},
      {stage::bind, errc::ldap_error, result_code::unavailable, false, fc::overload},
      {stage::bind, errc::service_authentication_failed, result_code::invalid_credentials, false, fc::credential},
      {stage::bind, errc::service_authentication_failed, 0, false, fc::credential},
      {stage::bind, errc::service_authentication_failed, result_code::stronger_auth_required, false, fc::policy},
      {stage::bind, errc::service_authentication_failed, result_code::inappropriate_authentication, false, fc::policy},
      {stage::bind, errc::service_authentication_failed, result_code::unwilling_to_perform, false, fc::policy},
      {stage::operation, errc::authentication_failed, result_code::invalid_credentials, true, fc::caller},
      {stage::bind, errc::authentication_failed, result_code::invalid_credentials, true, fc::caller},
      {stage::operation, errc::ldap_error, result_code::no_such_object, false, fc::caller},
      {stage::operation, errc::invalid_request, 0, false, fc::caller},
      {stage::operation, errc::cancelled, 0, false, fc::caller},
      {stage::queue, errc::pool_timeout, 0, false, fc::caller},
      {stage::queue, errc::connection_timeout, 0, false, fc::local},
      {stage::connect, errc::local_resources, 0, false, fc::local},
  };
  for (const auto& r : rows)
    BOOST_TEST(classify(r.where, r.code, r.ldap_code, r.user_bind) == r.expected,
               to_string(r.where) << "/" << to_string(r.code) << "/" << r.ldap_code);
}

BOOST_AUTO_TEST_CASE(every_code_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < errc_count; ++i) names.insert(to_string(static_cast<errc>(i)));
  BOOST_TEST(names.size() == errc_count);
  BOOST_TEST(names.count("unknown") == 0u);
  BOOST_TEST(to_string(errc::internal) == "internal");
  BOOST_TEST(to_string(errc::outcome_unknown) == "outcome_unknown");
}

BOOST_AUTO_TEST_CASE(a_failure_is_described_in_one_line_with_all_it_knows) {
  failure f;
  f.code = errc::pool_timeout;
  f.message = "no connection became free within 5 s";
  f.server = "ldap1:389";
  f.pool = pool_counts{5, 0, 5, 7, 12, 0};
  f.retry_after = milliseconds{250};
  f.cause = "connection refused";
  f.cause_at = wall_time{std::chrono::seconds{0}};
  BOOST_TEST(describe(f) ==
             "pool_timeout: no connection became free within 5 s [server ldap1:389; pool size 5, idle 0, in use 5, in "
             "flight 7, waiters 12; retry after 250 ms; last cause: connection refused at 1970-01-01T00:00:00Z]");
}

BOOST_AUTO_TEST_CASE(a_failure_names_the_first_referrals) {
  failure f;
  f.code = errc::ldap_error;
  f.ldap_code = result_code::referral;
  f.referrals = {"ldap://a/", "ldap://b/", "ldap://c/"};
  BOOST_TEST(describe(f) ==
             "ldap_error [result referral (10); referral to ldap://a/; referral to ldap://b/; referral to ldap://c/]");
  f.referrals.resize(1000, "ldap://d/");
  BOOST_TEST(describe(f).find("referral to ldap://c/; more referrals]") != std::string::npos, describe(f));
}

BOOST_AUTO_TEST_CASE(an_operation_is_described_with_what_it_is_about) {
  search_request search;
  search.base = "dc=example,dc=com";
  search.filter = "(userPassword=private)";
  BOOST_TEST(describe(any_operation{search}) == "search of \"dc=example,dc=com\"");
  BOOST_TEST(describe(any_operation{search_request{}}) == "search of the root DSE");
  BOOST_TEST(describe(any_operation{add_request{"cn=a", {}}}) == "add of \"cn=a\"");
  BOOST_TEST(describe(any_operation{compare_request{"cn=a", "userPassword", "private"}}) == "compare of \"cn=a\"");
  BOOST_TEST(describe(any_operation{bind_request{"cn=a", secret{"private"}}}) == "bind of \"cn=a\"");
  BOOST_TEST(describe(any_operation{whoami_request{}}) == "who-am-i");
  BOOST_TEST(describe(any_operation{password_modify_request{}}) == "password modify");
  BOOST_TEST(describe(any_operation{password_modify_request{"uid=a", {}, {}}}) == "password modify of \"uid=a\"");
  BOOST_TEST(describe(any_operation{delete_request{std::string(1'000'000, 'x')}}).size() < 250U);
}

BOOST_AUTO_TEST_CASE(a_failure_survives_a_caf_error) {
  failure f;
  f.code = errc::ldap_error;
  f.ldap_code = 32;
  const auto e = to_error(f);
  BOOST_TEST((e == caf::make_error(errc::ldap_error)));
  BOOST_TEST(failure_of(e)->ldap_code == 32);
  BOOST_TEST(failure_of(caf::make_error(errc::queue_full))->code == errc::queue_full);
}

BOOST_AUTO_TEST_CASE(an_error_of_caf_prints_the_failure_that_it_carries) {
  failure f;
  f.code = errc::breaker_open;
  f.message = "No server can take the request now";
  f.cause = "refused";
  const auto text = to_string(to_error(f));
  BOOST_TEST(text.find("breaker_open: No server can take the request now [last cause: refused]") != std::string::npos,
             text);
  BOOST_TEST(to_string(failure_ptr{}) == "none");
}

BOOST_AUTO_TEST_CASE(errors_of_caf_become_ours) {
  const auto late = failure_of(caf::make_error(caf::sec::request_timeout));
  BOOST_TEST(late->code == errc::operation_timeout);
  BOOST_TEST(!counts_against_server(classify(*late)), "an actor of ours was late, and no server");
  BOOST_TEST(failure_of(caf::make_error(caf::sec::request_receiver_down))->code == errc::stopped);
  BOOST_TEST(failure_of(caf::make_error(caf::exit_reason::kill))->code == errc::stopped);
  BOOST_TEST(failure_of(caf::make_error(caf::sec::unexpected_message))->code == errc::internal);
}

BOOST_AUTO_TEST_CASE(result_codes_have_their_names) {
  BOOST_TEST(result_code_name(32) == "noSuchObject");
  BOOST_TEST(result_code_name(49) == "invalidCredentials");
  BOOST_TEST(result_code_name(4711) == "resultCode 4711");
}

BOOST_AUTO_TEST_CASE(attributes_are_found_whatever_their_case) {
  entry e;
  e.attributes = {{"userCertificate;binary", {"x"}}, {"Mail", {"a", "b"}}, {"empty", {}}};
  BOOST_TEST(e.first("mail") == "a");
  BOOST_TEST(e.first("empty") == "");
  BOOST_TEST(e.first("none") == "");
  BOOST_TEST(e.find("USERCERTIFICATE;BINARY") != nullptr);
}

BOOST_AUTO_TEST_CASE(secrets_are_masked_and_shared) {
  const std::string typed("p\0w!", 4);
  const secret s{std::string_view{typed}};
  std::ostringstream out;
  out << s << secret{};
  BOOST_TEST(out.str() == "***");
  const secret copy = s;
  BOOST_TEST(copy.reveal().data() == s.reveal().data());
  BOOST_TEST(copy.reveal() == typed);
  BOOST_TEST((copy != secret{"p"}));
  BOOST_TEST((secret{} != secret{""}));
}

BOOST_AUTO_TEST_CASE(the_text_a_secret_is_made_from_is_wiped) {
  std::string typed(64, 'x');
  const char* bytes = typed.data();
  const secret s{std::move(typed)};
  BOOST_TEST(s.size() == 64u);
  BOOST_TEST(std::count(bytes, bytes + 64, 'x') == 0);
}

BOOST_AUTO_TEST_CASE(only_what_is_safe_is_repeated) {
  BOOST_TEST(safe_to_repeat(search_request{}));
  BOOST_TEST(safe_to_repeat(compare_request{}));
  BOOST_TEST(safe_to_repeat(whoami_request{}));
  BOOST_TEST(safe_to_repeat(extended_request{"1.2.3", {}, true}));
  BOOST_TEST(!safe_to_repeat(extended_request{"1.2.3", {}, false}));
  for (const any_operation& op :
       {any_operation{add_request{}}, any_operation{modify_request{}}, any_operation{delete_request{}},
        any_operation{modify_dn_request{}}, any_operation{password_modify_request{}}}) {
    BOOST_TEST(!safe_to_repeat(op));
    BOOST_TEST(is_write(op));
  }
  BOOST_TEST(!safe_to_repeat(bind_request{}));
  BOOST_TEST(!is_write(bind_request{}));
}

BOOST_AUTO_TEST_CASE(of_relayed_operations_what_reads_is_repeated) {
  const auto relayed = [](std::string bytes) { return any_operation{opaque_request{std::move(bytes), {}, 1}}; };
  const std::string name =
      "\x80\x17"
      "1.3.6.1.4.1.4203.1.11.3";
  for (const auto& op : {relayed("\x63"), relayed("\x6e"), relayed("\x77\x19" + name)}) {
    BOOST_TEST(safe_to_repeat(op));
    BOOST_TEST(!is_write(op));
  }
  // Who-am-i has no value, and other extensions may do anything.
  for (const auto& op : {relayed("\x66"), relayed("\x77\x1c" + name + "\x81\x01x"),
                         relayed("\x77\x19\x80\x17"
                                 "1.3.6.1.4.1.4203.1.11.1"),
                         relayed("\x77")}) {
    BOOST_TEST(!safe_to_repeat(op));
    BOOST_TEST(is_write(op));
  }
}

BOOST_AUTO_TEST_CASE(what_arises_in_several_places_is_said_in_one_sentence) {
  const auto cancelled = internal::caller_cancelled(stage::queue, "nothing was sent");
  BOOST_TEST((cancelled.code == errc::cancelled && cancelled.where == stage::queue));
  BOOST_TEST(cancelled.message == "The caller cancelled; nothing was sent.");
  BOOST_TEST(internal::caller_cancelled(stage::operation).message == "The caller cancelled.");
  const auto stopping = internal::runtime_stopping(stage::bind);
  BOOST_TEST((stopping.code == errc::draining && stopping.where == stage::bind));
  BOOST_TEST(stopping.message == "The runtime is being stopped; it takes nothing new.");
  BOOST_TEST((internal::runtime_ended(stage::operation).code == errc::stopped));
  // A wait for us speaks against no server.
  for (const auto& late : {internal::deadline_passed_unsent(stage::queue), internal::no_answer_in_time(stage::queue)}) {
    BOOST_TEST((late.code == errc::operation_timeout));
    BOOST_TEST(!counts_against_server(classify(late)));
  }
}
