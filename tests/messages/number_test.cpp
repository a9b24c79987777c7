// Numbers that are written as text.
#include "understudy/messages/number.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>

using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(all_of_a_text_is_a_number_that_fits_or_it_is_none) {
  BOOST_TEST((parse_number<std::uint16_t>("65535") == 65535));
  BOOST_TEST((parse_number<std::int64_t>("-7") == -7));
  BOOST_TEST((parse_number<double>("1.5") == 1.5));
  for (const auto* bad : {"", " 1", "1 ", "+1", "0x1", "1a", "a", "-1", "65536", "99999999999999999999"})
    BOOST_TEST(!parse_number<std::uint16_t>(bad).has_value(), bad);
}
