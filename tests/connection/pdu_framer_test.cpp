// Finding PDUs in a byte stream: whole ones, halves, and what is none.
#include "understudy/actors/connection/pdu_framer.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

using namespace understudy;
using namespace understudy::internal;
using status = pdu_frame::status;

namespace {

constexpr std::size_t plenty = 1 << 20;

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int v : values) out.push_back(static_cast<char>(v));
  return out;
}

// A searchResDone of message 5 (RFC 4511, 4.5.2).
const std::string done = bytes({0x30, 0x0c, 0x02, 0x01, 0x05, 0x65, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00});

void check_malformed(const std::string& stream, std::size_t most = plenty) {
  BOOST_TEST((frame_pdu(stream, most).state == status::malformed));
  BOOST_TEST(std::string{frame_pdu(stream, most).why} != "");
}

}  // namespace

BOOST_AUTO_TEST_CASE(finds_size_id_and_operation_of_a_pdu) {
  const auto f = frame_pdu(done + "whatever follows", plenty);
  BOOST_TEST((f.state == status::complete));
  BOOST_TEST(f.size == done.size());
  BOOST_TEST(f.id == 5);
  BOOST_TEST(int{f.op} == int{pdu_op::search_done});
}

BOOST_AUTO_TEST_CASE(waits_for_more_at_every_prefix_of_a_pdu) {
  for (std::size_t n = 0; n < done.size(); ++n) {
    BOOST_TEST((frame_pdu(std::string_view{done}.substr(0, n), plenty).state == status::partial), "prefix of " << n);
  }
}

BOOST_AUTO_TEST_CASE(reads_long_lengths_and_large_message_ids) {
  // Active Directory writes lengths in four octets whatever they are.
  const auto f =
      frame_pdu(bytes({0x30, 0x84, 0, 0, 0, 9, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff, 0x78, 0x01, 0x00}), plenty);
  BOOST_TEST((f.state == status::complete));
  BOOST_TEST(f.id == 2147483647);
  BOOST_TEST(int{f.op} == int{pdu_op::extended_response});
  BOOST_TEST(f.size == 15u);
}

BOOST_AUTO_TEST_CASE(takes_lengths_in_more_octets_than_they_need) {
  // X.690, 8.1.3.5: the sender's choice, of the message's as of the id's.
  const auto id = frame_pdu(bytes({0x30, 0x06, 0x02, 0x81, 0x01, 0x05, 0x65, 0x00}), plenty);
  BOOST_TEST((id.state == status::complete));
  BOOST_TEST(id.id == 5);
  BOOST_TEST(int{id.op} == int{pdu_op::search_done});
  for (const int octets : {1, 5, 9, 126}) {
    auto whole = bytes({0x30, 0x80 + octets}) + std::string(static_cast<std::size_t>(octets) - 1, '\0') +
                 bytes({0x09, 0x02, 0x84, 0, 0, 0, 0x01, 0x05, 0x65});
    for (std::size_t n = 0; n < whole.size(); ++n)
      BOOST_TEST((frame_pdu(std::string_view{whole}.substr(0, n), plenty).state == status::partial));
    whole.push_back('\0');
    const auto f = frame_pdu(whole, plenty);
    BOOST_TEST((f.state == status::complete), octets << " octets");
    BOOST_TEST(f.id == 5);
    BOOST_TEST(f.size == whole.size());
  }
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_ldap_message) {
  check_malformed("HTTP/1.1 400 Bad Request\r\n");
  check_malformed(bytes({0x30, 0x80, 0x02, 0x01, 0x01, 0x65}));           // indefinite length
  check_malformed(bytes({0x30, 0xff, 0, 0}));                             // reserved (X.690, 8.1.3.5)
  check_malformed(bytes({0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0}));        // a length that no memory has
  check_malformed(bytes({0x30, 0x05, 0x04, 0x01, 0x01, 0x65, 0x00}));     // no message id
  check_malformed(bytes({0x30, 0x05, 0x02, 0x00, 0x65, 0x00, 0x00}));     // empty message id
  check_malformed(bytes({0x30, 0x05, 0x02, 0x01, 0xff, 0x65, 0x00}));     // negative message id
  check_malformed(bytes({0x30, 0x06, 0x02, 0x02, 0, 5, 0x65, 0x00}));     // more octets than needed (X.690, 8.3.2)
  check_malformed(bytes({0x30, 0x06, 0x02, 0x80, 5, 0, 0x65, 0x00}));     // indefinite length of the message id
  check_malformed(bytes({0x30, 0x08, 0x02, 0x05, 1, 1, 1, 1, 1, 0x65}));  // message id of five octets
  check_malformed(bytes({0x30, 0x03, 0x02, 0x01, 0x05}));                 // no operation
  check_malformed(bytes({0x30, 0x05, 0x02, 0x01, 0x05, 0x04, 0x00}));     // universal tag in its place
  check_malformed(bytes({0x30, 0x00}));                                   // nothing in it
}

BOOST_AUTO_TEST_CASE(refuses_a_pdu_beyond_the_limit_as_soon_as_its_length_is_seen) {
  BOOST_TEST((frame_pdu(done, done.size()).state == status::complete));
  check_malformed(done.substr(0, 2), done.size() - 1);
  check_malformed(bytes({0x30, 0x84, 0xff, 0xff, 0xff, 0xff}));
}
