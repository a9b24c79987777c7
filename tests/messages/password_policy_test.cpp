// What directories say of a password in the answer to a bind.
#include "understudy/messages/password_policy.hpp"
#include "understudy/messages/ber.hpp"

#include "support/mutation.hpp"

using namespace understudy;

namespace {

password_policy read(std::string_view oid, std::optional<std::string> value) {
  return read_password_policy({{"1.2.3", false, {}}, {std::string{oid}, false, std::move(value)}});
}

/// PasswordPolicyResponseValue.
std::string response(const std::string& content) { return ber_element(ber_tag::sequence, content); }

}  // namespace

BOOST_AUTO_TEST_CASE(the_response_control_is_that_of_the_draft) {
  // draft-behera-ldap-password-policy-10, 6.2: SEQUENCE { [0] { [0] INTEGER 3600 }, [1] 2 }, byte for byte as slapd
  // sends.
  const auto expiring = read(password_policy_oid, std::string{"\x30\x06\xa0\x04\x80\x02\x0e\x10", 8});
  BOOST_TEST_REQUIRE(expiring.expires_in.has_value());
  BOOST_TEST(expiring.expires_in->count() == 3600);
  BOOST_TEST(!expiring.must_change);
  BOOST_TEST(expiring.notable());
  const auto grace = read(password_policy_oid, response(ber_element(0xa0, ber_integer(2, 0x81))));
  BOOST_TEST(grace.grace_logins.value_or(-1) == 2);
  const auto reset = read(password_policy_oid, std::string{"\x30\x03\x81\x01\x02", 5});
  BOOST_TEST(reset.must_change);
  BOOST_TEST((reset.error == password_policy_error::change_after_reset));
  const auto both = read(password_policy_oid, response(ber_element(0xa0, ber_integer(0, 0x80)) + ber_integer(1, 0x81)));
  BOOST_TEST(both.expires_in.value_or(seconds{-1}).count() == 0);
  BOOST_TEST((both.error == password_policy_error::account_locked));
  BOOST_TEST(!read(password_policy_oid, response("")).notable());
  // 389 Directory Server writes lengths in five octets: 86400 seconds and changeAfterReset, as it sends them.
  const auto long_lengths =
      read(password_policy_oid,
           std::string{"\x30\x84\x00\x00\x00\x0e\xa0\x84\x00\x00\x00\x05\x80\x03\x01\x51\x80\x81\x01\x02", 20});
  BOOST_TEST(long_lengths.expires_in.value_or(seconds{0}).count() == 86400);
  BOOST_TEST(long_lengths.must_change);
}

BOOST_AUTO_TEST_CASE(the_netscape_controls_are_text) {
  BOOST_TEST(read(password_expired_oid, "0").must_change);
  BOOST_TEST(read(password_expired_oid, {}).must_change);
  BOOST_TEST(read(password_expiring_oid, "86400").expires_in.value_or(seconds{0}).count() == 86400);
  for (const std::string bad : {"", "soon", "-1", "1x", "99999999999999999999"})
    BOOST_TEST(!read(password_expiring_oid, bad).notable());
}

BOOST_AUTO_TEST_CASE(a_grace_login_is_no_must_change_though_both_controls_come) {
  // As 389 Directory Server sends them, in this order.
  const auto read_both = [](const std::string& content) {
    return read_password_policy({{std::string{password_policy_oid}, false, response(content)},
                                 {std::string{password_expired_oid}, false, std::string{"0"}}});
  };
  const auto graced = read_both(ber_element(0xa0, ber_integer(1, 0x81)));
  BOOST_TEST(!graced.must_change);
  BOOST_TEST(graced.grace_logins.value_or(-1) == 1);
  const auto reset = read_both(ber_element(0xa0, ber_integer(86400, 0x80)) + ber_integer(2, 0x81));
  BOOST_TEST(reset.must_change);
  const auto graced_and_reset = read_both(ber_element(0xa0, ber_integer(1, 0x81)) + ber_integer(2, 0x81));
  BOOST_TEST(graced_and_reset.must_change);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_decoded_says_nothing) {
  std::mt19937 random{5};
  const auto good = response(ber_element(0xa0, ber_integer(3600, 0x80)) + ber_integer(2, 0x81));
  BOOST_TEST(read(password_policy_oid, good).must_change);
  for (std::size_t n = 0; n < good.size(); ++n) BOOST_TEST(!read(password_policy_oid, good.substr(0, n)).notable());
  for (int round = 0; round < 20000; ++round) {
    const auto policy = read(password_policy_oid, test::mutated(good, random));
    BOOST_TEST_REQUIRE((!policy.expires_in || policy.expires_in->count() >= 0));
    BOOST_TEST_REQUIRE((!policy.error || to_string(*policy.error) != "unknown"));
  }
  BOOST_TEST(!read(password_policy_oid, {}).notable());
  BOOST_TEST(!read_password_policy({}).notable());
}

BOOST_AUTO_TEST_CASE(it_is_written_for_people) {
  BOOST_TEST(describe(password_policy{}) == "");
  BOOST_TEST(describe(read(password_expired_oid, "0")) ==
             "the password must be changed before anything else is allowed");
  BOOST_TEST(describe(read(password_policy_oid, response(ber_integer(2, 0x81)))) ==
             "the password must be changed before anything else is allowed");
  BOOST_TEST(describe(read(password_expiring_oid, "259200")) == "the password expires in 3 days");
  BOOST_TEST(describe(read(password_expiring_oid, "7300")) == "the password expires in 2 hours");
  BOOST_TEST(describe(read(password_expiring_oid, "1")) == "the password expires in 1 second");
  password_policy grace;
  grace.grace_logins = 1;
  BOOST_TEST(describe(grace) == "the password has expired; 1 more login is left");
  password_policy locked;
  locked.error = password_policy_error::account_locked;
  BOOST_TEST(describe(locked) == "accountLocked");
  const auto asked = password_policy_request();
  BOOST_TEST(asked.oid == password_policy_oid);
  BOOST_TEST(!asked.critical);
  BOOST_TEST(!asked.value.has_value());
}
