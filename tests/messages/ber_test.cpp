// BER for values of controls, and the paged results control: exact both ways, and never fooled by garbage.
#include "understudy/messages/ber.hpp"
#include "understudy/messages/paged_results.hpp"
#include "understudy/messages/result.hpp"

#include "support/mutation.hpp"

#include <limits>
#include <random>

using namespace understudy;
using namespace understudy::internal;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int v : values) out.push_back(static_cast<char>(v));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(elements_have_the_shortest_definite_length) {
  BOOST_TEST((ber_octets("") == bytes({0x04, 0})));
  BOOST_TEST((ber_octets("ab", 0x80) == bytes({0x80, 2, 'a', 'b'})));
  for (const std::size_t size : {127u, 128u, 255u, 256u, 65535u, 65536u}) {
    const auto made = ber_octets(std::string(size, 'x'));
    const std::size_t header = size < 128 ? 2 : size < 256 ? 3 : size < 65536 ? 4 : 5;
    BOOST_TEST(made.size() == size + header);
    ber_cursor back{made};
    BOOST_TEST(back.element(ber_tag::octet_string).value_or("").size() == size);
    BOOST_TEST(back.finished());
  }
}

BOOST_AUTO_TEST_CASE(integers_have_as_few_octets_as_they_take) {
  BOOST_TEST((ber_integer(0) == bytes({2, 1, 0})));
  BOOST_TEST((ber_integer(127) == bytes({2, 1, 127})));
  BOOST_TEST((ber_integer(128) == bytes({2, 2, 0, 128})));
  BOOST_TEST((ber_integer(-128) == bytes({2, 1, 128})));
  BOOST_TEST((ber_integer(-129) == bytes({2, 2, 255, 127})));
  BOOST_TEST((ber_integer(2, ber_tag::enumerated) == bytes({10, 1, 2})));
  using limits = std::numeric_limits<std::int64_t>;
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{500}, std::int64_t{0x7fffffff},
                               std::int64_t{-0x80000000ll}, limits::max(), limits::min()}) {
    ber_cursor back{ber_integer(n)};
    const auto whole = ber_integer(n);
    ber_cursor again{whole};
    BOOST_TEST(again.integer().value_or(42) == n);
    BOOST_TEST(again.finished());
  }
}

BOOST_AUTO_TEST_CASE(a_cursor_that_met_nonsense_has_nothing_more) {
  const auto two = ber_octets("a") + ber_octets("b");
  ber_cursor wrong{two};
  BOOST_TEST(wrong.peek() == ber_tag::octet_string);
  BOOST_TEST(!wrong.integer().has_value());
  BOOST_TEST(!wrong.element(ber_tag::octet_string).has_value());
  BOOST_TEST(!wrong.finished());
  for (const auto& bad : {bytes({}), bytes({4}), bytes({4, 2, 'a'}), bytes({4, 0x80, 'a', 0, 0}), bytes({4, 0x81}),
                          bytes({4, 0xff, 1, 'a'}), bytes({4, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 1, 'a'}),
                          bytes({4, 0x88, 255, 255, 255, 255, 255, 255, 255, 255, 'a'})}) {
    ber_cursor cursor{bad};
    BOOST_TEST(!cursor.element(ber_tag::octet_string).has_value());
    BOOST_TEST(!cursor.finished());
  }
  for (const auto& bad : {bytes({2, 0}), bytes({2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1}), bytes({2, 2, 0, 1}),
                          bytes({2, 2, 0xff, 0x80}), bytes({2, 2, 0, 0x7f})}) {
    ber_cursor cursor{bad};
    BOOST_TEST(!cursor.integer().has_value());
    BOOST_TEST(!cursor.finished());
  }
}

BOOST_AUTO_TEST_CASE(lengths_may_take_more_octets_than_they_need) {
  for (const int octets : {1, 2, 8, 9, 126}) {
    const auto one = bytes({4, 0x80 + octets}) + std::string(static_cast<std::size_t>(octets) - 1, '\0') + "\1a";
    ber_cursor cursor{one};
    BOOST_TEST(cursor.element(ber_tag::octet_string).value_or("") == "a");
    BOOST_TEST(cursor.finished());
  }
}

BOOST_AUTO_TEST_CASE(anything_can_be_passed_over) {
  // A tag of several octets (X.690, 8.1.2.4), a long length, a constructed one.
  for (const auto& one : {bytes({4, 0}), bytes({0x85, 2, 1, 2}), bytes({0xa5, 0x81, 1, 0}),
                          bytes({0x1f, 0x81, 0x01, 1, 9}), bytes({0x5f, 0x20, 0x82, 0, 1, 9})}) {
    const auto two = one + ber_octets("b");
    ber_cursor cursor{two};
    BOOST_TEST(cursor.skip());
    BOOST_TEST(cursor.element(ber_tag::octet_string).value_or("") == "b");
    for (std::size_t n = 0; n < one.size(); ++n) {
      ber_cursor half{std::string_view{one}.substr(0, n)};
      BOOST_TEST(!half.skip());
      BOOST_TEST(!half.finished());
    }
  }
  ber_cursor indefinite{"\xa5\x80"};
  BOOST_TEST(!indefinite.skip());
}

BOOST_AUTO_TEST_CASE(the_paged_results_value_is_that_of_rfc_2696) {
  BOOST_TEST((encode_paged_results({2, ""}) == bytes({0x30, 5, 2, 1, 2, 4, 0})));
  BOOST_TEST((encode_paged_results({500, "\x01z"}) == bytes({0x30, 8, 2, 2, 1, 0xf4, 4, 2, 1, 'z'})));
  const auto sent = paged_results_control({2, ""}, true);
  BOOST_TEST(sent.oid == "1.2.840.113556.1.4.319");
  BOOST_TEST(sent.critical);
  std::string any;
  for (int i = 0; i < 256; ++i) any.push_back(static_cast<char>(i));
  for (const auto& cookie : {std::string{}, std::string(1, '\0'), any, std::string(70000, 'c')}) {
    const auto back = decode_paged_results(encode_paged_results({7, cookie}));
    BOOST_TEST_REQUIRE(back.has_value());
    BOOST_TEST(back->size == 7);
    BOOST_TEST((back->cookie == cookie));
  }
  // Long forms of lengths are BER as well.
  const auto long_form = decode_paged_results(bytes({0x30, 0x84, 0, 0, 0, 6, 2, 1, 3, 4, 1, 'x'}));
  BOOST_TEST_REQUIRE(long_form.has_value());
  BOOST_TEST(long_form->cookie == "x");
}

BOOST_AUTO_TEST_CASE(a_paged_results_value_that_is_none_is_refused) {
  const auto good = encode_paged_results({500, "cookie"});
  for (std::size_t n = 0; n < good.size(); ++n) BOOST_TEST(!decode_paged_results(good.substr(0, n)).has_value());
  BOOST_TEST(!decode_paged_results(good + "x").has_value());
  const auto wrapped = [](const std::string& content) { return ber_element(ber_tag::sequence, content); };
  BOOST_TEST(!decode_paged_results(wrapped(ber_integer(1))).has_value());
  BOOST_TEST(!decode_paged_results(wrapped(ber_octets("a") + ber_octets("b"))).has_value());
  BOOST_TEST(!decode_paged_results(wrapped(ber_integer(-1) + ber_octets(""))).has_value());
  BOOST_TEST(!decode_paged_results(wrapped(ber_integer(0x80000000ll) + ber_octets(""))).has_value());
  BOOST_TEST(!decode_paged_results(wrapped(ber_integer(1) + ber_octets("") + ber_octets(""))).has_value());
  BOOST_TEST(!decode_paged_results(ber_element(ber_tag::set, ber_integer(1) + ber_octets(""))).has_value());
}

BOOST_AUTO_TEST_CASE(whatever_is_accepted_as_paged_results_says_the_same_when_encoded_again) {
  std::mt19937 random{7};
  const auto good = encode_paged_results({500, "a-cookie"});
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    const auto read = decode_paged_results(test::mutated(good, random));
    if (!read) continue;
    ++accepted;
    const auto again = decode_paged_results(encode_paged_results(*read));
    BOOST_TEST_REQUIRE(again.has_value());
    BOOST_TEST(again->size == read->size);
    BOOST_TEST((again->cookie == read->cookie));
  }
  BOOST_TEST(accepted > 0);
}

BOOST_AUTO_TEST_CASE(controls_are_found_by_their_oid) {
  const std::vector<control> some{{"1.1", false, {}}, {"1.2", true, "x"}};
  BOOST_TEST_REQUIRE(find_control(some, "1.2") != nullptr);
  BOOST_TEST(find_control(some, "1.2")->value.value_or("") == "x");
  BOOST_TEST((find_control(some, "1.3") == nullptr));
}
