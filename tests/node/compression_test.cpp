// Compressed answers: whole again, and whatever is no such thing costs neither memory nor time.
#include "understudy/actors/node/compression.hpp"

#include "support/contains.hpp"
#include "support/property.hpp"
#include "understudy/messages/ber.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

#include <random>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

constexpr std::size_t plenty = 4 * 1024 * 1024;

std::string entries(std::size_t bytes) {
  std::string text;
  for (int i = 0; text.size() < bytes; ++i)
    text += "uid=user" + std::to_string(i) + ",ou=people,dc=example,dc=com mail: user" + std::to_string(i) + "@x ";
  text.resize(bytes);
  return text;
}

std::string noise(std::size_t bytes) {
  std::mt19937 random{7};
  std::string text(bytes, '\0');
  for (auto& c : text) c = static_cast<char>(random());
  return text;
}

std::string why(const decoded<std::string>& got) { return got.error ? got.error->message : ""; }
std::string why(const decoded<answer_frame>& got) { return got.error ? got.error->message : ""; }

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_compressed_is_smaller_and_comes_back_whole) {
  compressor with;
  for (const std::size_t size : {least_compressed, std::size_t{100'000}, plenty}) {
    const auto text = entries(size);
    const auto small = with.compress(text);
    BOOST_TEST_REQUIRE(small.has_value());
    BOOST_TEST(small->size() < size / 3);
    const auto back = decompress(*small, size, plenty);
    BOOST_TEST_REQUIRE(back.value.has_value(), why(back));
    BOOST_TEST((*back.value == text));
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_become_smaller_is_left_as_it_is) {
  compressor with;
  BOOST_TEST(!with.compress(noise(100'000)).has_value());
  BOOST_TEST(!with.compress("").has_value());
  BOOST_TEST(!with.compress("x").has_value());
  answer_frame frame;
  frame.kind = answer_kind::messages;
  frame.messages = noise(10'000);
  const auto bytes = encode(frame);
  BOOST_TEST((with.compress_answer(bytes) == bytes));
}

BOOST_AUTO_TEST_CASE(nothing_of_a_text_shows_in_the_size_of_the_next) {
  compressor with, fresh;
  with.compress(entries(50'000) + "secret-of-somebody-else");
  const auto text = entries(20'000) + "secret-of-somebody-else";
  BOOST_TEST((with.compress(text) == fresh.compress(text)));
}

BOOST_AUTO_TEST_CASE(an_answer_crosses_compressed_with_all_its_parts) {
  answer_frame frame;
  frame.kind = answer_kind::part;
  frame.flag = true;
  frame.messages = entries(50'000);
  frame.server = "ldap1:389";
  compressor with;
  const auto bytes = with.compress_answer(encode(frame));
  BOOST_TEST(bytes.size() < frame.messages.size() / 3);
  const auto outer = decode_answer(bytes);
  BOOST_TEST_REQUIRE(outer.value.has_value());
  BOOST_TEST((outer.value->kind == answer_kind::compressed));
  const auto got = decompress_answer(*outer.value, plenty);
  BOOST_TEST_REQUIRE(got.value.has_value(), why(got));
  BOOST_TEST((got.value->kind == answer_kind::part && got.value->flag && got.value->messages == frame.messages &&
              got.value->server == frame.server));
}

BOOST_AUTO_TEST_CASE(more_than_the_bound_is_refused_before_memory_is_taken) {
  compressor with;
  // A bomb: a megabyte of zeros to each 40 bytes or so.
  const auto bomb = *with.compress(std::string(64 * 1024 * 1024, '\0'));
  BOOST_TEST(bomb.size() < 64U * 1024);
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto refused = decompress(bomb, 64 * 1024 * 1024, plenty);
  BOOST_TEST(contains(why(refused), "it is said to hold 67108864 bytes, and 4194304 are taken at the most"),
             why(refused));
  // It says less of itself than it holds.
  const auto lie = decompress(bomb, 1000, plenty);
  BOOST_TEST(contains(why(lie), "does not hold what it is said to hold"), why(lie));
  BOOST_TEST(contains(why(decompress(bomb, UINT64_MAX, plenty)), "taken at the most"));
  ::getrusage(RUSAGE_SELF, &after);
  BOOST_TEST(after.ru_minflt - before.ru_minflt < 1000);  // pages of 4 KiB
  BOOST_TEST(contains(why(decompress(*with.compress(entries(5000)), 5000, 4999)), "4999 are taken at the most"));
  BOOST_TEST(decompress(*with.compress(entries(5000)), 5000, 5000).value.has_value());
}

BOOST_AUTO_TEST_CASE(a_frame_whose_header_lies_stops_at_the_bound) {
  // The size in the header, which is what the sender says too, is made smaller than what follows: RFC 8878, 3.1.1.1.
  compressor with;
  auto bytes = *with.compress(entries(60'000));
  BOOST_TEST_REQUIRE(static_cast<unsigned char>(bytes[4]) >> 6 == 1);  // two bytes of size, less 256
  const std::size_t less = 30'000;
  bytes[5] = static_cast<char>((less - 256) & 0xff);
  bytes[6] = static_cast<char>((less - 256) >> 8);
  const auto got = decompress(bytes, less, plenty);
  BOOST_TEST(!got.value.has_value());
  BOOST_TEST(contains(why(got), "A compressed answer cannot be read"), why(got));
}

BOOST_AUTO_TEST_CASE(what_is_no_compressed_text_is_refused) {
  compressor with;
  const auto good = *with.compress(entries(10'000));
  for (std::size_t n = 0; n < good.size(); n += 7)
    BOOST_TEST(!decompress(good.substr(0, n), 10'000, plenty).value.has_value());
  BOOST_TEST(contains(why(decompress(good + "x", 10'000, plenty)), "its end is not where it should be"));
  BOOST_TEST(contains(why(decompress(good + good, 10'000, plenty)), "its end is not where it should be"));
  BOOST_TEST(!decompress(noise(1000), 10'000, plenty).value.has_value());
  BOOST_TEST(!decompress("", 0, plenty).value.has_value());
  // A frame that is to be passed over, and one that says nothing of its size.
  BOOST_TEST(!decompress(std::string("\x50\x2a\x4d\x18\x04\x00\x00\x00skip", 12), 4, plenty).value.has_value());
  BOOST_TEST(!decompress(std::string("\x28\xb5\x2f\xfd\x00\x58\x09\x00\x00x", 10), 1, plenty).value.has_value());
  std::mt19937 random{11};
  for (int i = 0; i < 2000; ++i) {
    auto bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    const auto got = decompress(bad, 10'000, plenty);
    if (got.value) BOOST_TEST(got.value->size() == 10'000U);
  }
}

BOOST_AUTO_TEST_CASE(what_is_inside_is_an_answer_and_not_compressed_again) {
  compressor with;
  answer_frame frame;
  frame.kind = answer_kind::messages;
  frame.messages = entries(50'000);
  answer_frame twice;
  twice.kind = answer_kind::compressed;
  // As it is: twice compressed saves nothing.
  const auto once = with.compress_answer(encode(frame)) + std::string{};
  const auto inner = ber_element(ber_tag::sequence, std::string{*ber_cursor{once}.element(ber_tag::sequence)} +
                                                        ber_octets(std::string(8000, ' '), 0x80 | 29));
  twice.size = inner.size();
  twice.body = *with.compress(inner);
  const auto got = decompress_answer(twice, plenty);
  BOOST_TEST(contains(why(got), "compressed again"), why(got));
  twice.size = 5000;
  twice.body = *with.compress(std::string(5000, 'x'));
  BOOST_TEST(!decompress_answer(twice, plenty).value.has_value());
}
