// What a directory says of passwords while it accepts them is shown: `health` for the service's, `authenticate` for a
// user's.
#include "cli.hpp"
#include "support/stub_directory.hpp"
#include "understudy/messages/password_policy.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

/// Every bind is accepted with this control.
void accept_with(stub_directory& directory, std::string_view oid, std::string value) {
  directory.on(operation::bind, reply{{.controls = {{std::string{oid}, false, std::move(value)}}}, {}});
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(health_shows_a_password_that_must_be_changed_as_degraded, command_line) {
  stub_directory directory;
  const auto file = config(directory.url());
  check_exit(run({"health", "-c", file}), 0);
  accept_with(directory, password_expired_oid, "0");
  const auto text = run({"health", "-c", file});
  check_exit(text, 1);
  BOOST_TEST(contains(text.output, "degraded"), text.output);
  BOOST_TEST(contains(text.output, "must be changed"), text.output);
  BOOST_TEST(contains(text.output, admin_dn), text.output);
  const auto shown = run({"health", "-c", file, "--json"});
  check_exit(shown, 1);
  const auto server = nlohmann::json::parse(shown.output)["servers"][0];
  BOOST_TEST(server["state"].get<std::string>() == "degraded");
  BOOST_TEST(contains(server["warning"].get<std::string>(), "must be changed"));
}

BOOST_FIXTURE_TEST_CASE(authenticate_passes_on_what_the_directory_says_of_the_password, command_line) {
  stub_directory directory;
  const auto file = config(directory.url());
  accept_with(directory, password_policy_oid, std::string{"\x30\x07\xa0\x05\x80\x03\x03\xf4\x80", 9});
  const auto accepted = run({"authenticate", "-c", file, "-b", people_dn, "user1"}, "secret\n");
  check_exit(accepted, 0);
  BOOST_TEST(contains(accepted.error_output, "accepted: "), accepted.error_output);
  BOOST_TEST(contains(accepted.error_output, "the password expires in 3 days"), accepted.error_output);
  const auto asked = directory.requests(operation::bind).back();
  BOOST_TEST((find_control(asked.controls, password_policy_oid) != nullptr));
}
