// The PROXY protocol, version 2: headers of every kind, whole and in pieces, and bytes that are none.
#include "understudy/runtime/platform/proxy_protocol.hpp"
#include "support/proxy_header.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace understudy::internal;
using namespace understudy::test;
using status = proxy_header_reader::status;

namespace {

const std::string documentation_address{"\xc0\0\x02\x07", 4};  // 192.0.2.7

/// As a socket gives it: no more than is wanted, in pieces of `step` bytes. How many bytes were taken.
std::size_t give(proxy_header_reader& reader, std::string_view bytes, std::size_t step = 4096) {
  std::size_t taken = 0;
  while (taken < bytes.size() && reader.wanted() > 0) {
    const auto size = std::min({step, reader.wanted(), bytes.size() - taken});
    reader.take(bytes.substr(taken, size));
    taken += size;
  }
  return taken;
}

status state_of(std::string_view bytes) {
  proxy_header_reader reader;
  give(reader, bytes);
  return reader.state();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_header_names_its_client_and_nothing_behind_it_is_taken) {
  const auto header = proxy_header_of(documentation_address, 51312);
  for (std::size_t step = 1; step <= header.size() + 1; ++step) {
    proxy_header_reader reader;
    BOOST_TEST(give(reader, header + "0 of the client", step) == header.size());
    BOOST_TEST((reader.state() == status::done));
    BOOST_TEST_REQUIRE(reader.client().has_value());
    BOOST_TEST(reader.client()->text == "192.0.2.7:51312");
    BOOST_TEST((reader.client()->address == *parse_ip_address("192.0.2.7")));
  }
  const std::string six{"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16};
  proxy_header_reader reader;
  give(reader, proxy_header('\x21', '\x21', six + six + std::string{"\x01\x85\x01\x85", 4}));
  BOOST_TEST_REQUIRE(reader.client().has_value());
  BOOST_TEST(reader.client()->text == "[2001:db8::7]:389");
}

BOOST_AUTO_TEST_CASE(a_proxy_that_speaks_for_itself_names_nobody) {
  for (const auto& header : {proxy_header('\x20', '\0', ""), proxy_header('\x20', '\x11', "anything"),
                             proxy_header('\x21', '\0', "ab"), proxy_header('\x21', '\x31', std::string(216, 'x'))}) {
    proxy_header_reader reader;
    give(reader, header);
    BOOST_TEST((reader.state() == status::done));
    BOOST_TEST(!reader.client().has_value());
  }
}

BOOST_AUTO_TEST_CASE(additions_are_passed_over_when_they_are_whole) {
  const std::string two{"\x04\0\x01x\x20\0\x02yz", 9};
  BOOST_TEST((state_of(proxy_header_of(documentation_address, 1, two)) == status::done));
  for (std::size_t size = 1; size < two.size(); ++size) {
    if (size == 4) continue;  // the first one alone
    BOOST_TEST((state_of(proxy_header_of(documentation_address, 1, two.substr(0, size))) == status::malformed), size);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_header_is_found_out_at_its_first_byte_that_is_not_one) {
  for (const std::string bytes : {"0", "P", "\r\n\r\x01", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"}) {
    proxy_header_reader reader;
    give(reader, bytes);
    BOOST_TEST((reader.state() == status::malformed), bytes);
    BOOST_TEST(reader.wanted() == 0U);
    BOOST_TEST(reader.problem() != "");
  }
  // Version, command, protocol, length.
  const std::string whole(36, 'x');
  BOOST_TEST((state_of(proxy_header('\x11', '\x11', whole)) == status::malformed));
  BOOST_TEST((state_of(proxy_header('\x22', '\x11', whole)) == status::malformed));
  for (const char family : {'\x12', '\x22', '\x32', '\x41', '\x10', '\xff'})
    BOOST_TEST((state_of(proxy_header('\x21', family, whole)) == status::malformed));
  BOOST_TEST((state_of(proxy_header('\x21', '\x11', std::string(11, 'x'))) == status::malformed));
  BOOST_TEST((state_of(proxy_header('\x21', '\x21', std::string(35, 'x'))) == status::malformed));
  BOOST_TEST((state_of(proxy_header('\x21', '\x31', std::string(215, 'x'))) == status::malformed));
  // One that is too long is not waited for.
  const auto longest = proxy_header_reader::longest - 16;
  proxy_header_reader reader;
  give(reader, proxy_header('\x20', '\0', std::string(longest + 1, 'x')).substr(0, 16));
  BOOST_TEST((reader.state() == status::malformed));
  BOOST_TEST((state_of(proxy_header('\x20', '\0', std::string(longest, 'x'))) == status::done));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_anything_end_the_reading_within_its_bound) {
  std::mt19937 random{7};
  const auto header = proxy_header_of(documentation_address, 51312, std::string{"\x04\0\x01x", 4});
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = header + std::string(proxy_header_reader::longest, '\x7f');
    for (int changes = static_cast<int>(random() % 3); changes >= 0; --changes)
      bytes[random() % header.size()] = static_cast<char>(random());
    proxy_header_reader reader;
    const auto taken = give(reader, bytes, 1 + random() % 64);
    BOOST_REQUIRE((reader.state() != status::reading));
    BOOST_REQUIRE(taken <= proxy_header_reader::longest);
    BOOST_REQUIRE((reader.state() == status::malformed) == !reader.problem().empty());
  }
}
