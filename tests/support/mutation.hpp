// Bytes that a peer could send instead of good ones: for codecs that must refuse them, or understand them whole.
#pragma once
#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

namespace understudy::test {

/// `good` with some of its bytes changed, and now and then cut off.
inline std::string mutated(std::string good, std::mt19937& random) {
  for (int change = 0; change <= static_cast<int>(random() % 3); ++change)
    good[random() % good.size()] = static_cast<char>(random());
  if (random() % 4 == 0) good.resize(random() % (good.size() + 1));
  return good;
}

/// Changes `good` 20 000 times and has each decoded, to a value or an error, never both: what is accepted is whole, so
/// it says the same when it is encoded again. Requires that some are accepted, or nothing would have been tried.
template <class Decode, class Encode>
void check_mutations(const std::string& good, unsigned seed, Decode decode, Encode encode) {
  std::mt19937 random{seed};
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto bytes = mutated(good, random);
    const auto read = decode(bytes);
    BOOST_TEST_REQUIRE((read.value.has_value() != (read.error != nullptr)));
    if (!read.value) continue;
    ++accepted;
    const auto again = encode(*read.value);
    const auto twice = decode(again);
    BOOST_TEST_REQUIRE(twice.value.has_value());
    BOOST_TEST_REQUIRE((encode(*twice.value) == again));
  }
  BOOST_TEST(accepted > 100);
}

}  // namespace understudy::test
