// Encoding a search, taking its head off, counting frames.
#include "support/relayed.hpp"
#include "support/ber.hpp"
#include "support/ldap_wire.hpp"
#include "understudy/actors/connection/pdu_codec.hpp"

#include <boost/test/unit_test.hpp>

namespace understudy::test {

using namespace internal;

request_ptr relayed(const search_request& search, std::int32_t message_id, const std::vector<control>& controls) {
  std::string pdu;
  BOOST_REQUIRE(encode_search(1, search, controls, pdu) == "");
  opaque_request opaque;
  ber_reader rest{behind_message_id(pdu)};
  const auto op = rest.next();
  opaque.protocol_op = ber(op.tag, op.content);
  if (!rest.empty()) opaque.controls = ber(0xa0, rest.next(0xa0).content);
  opaque.message_id = message_id;
  return make_request(std::move(opaque));
}

std::vector<pdu_frame> frames_of(std::string_view messages) {
  std::vector<pdu_frame> frames;
  while (!messages.empty()) {
    frames.push_back(frame_pdu(messages, messages.size()));
    BOOST_REQUIRE((frames.back().state == pdu_frame::status::complete));
    messages.remove_prefix(frames.back().size);
  }
  return frames;
}

std::size_t entries_in(std::string_view messages, std::int32_t message_id) {
  std::size_t n = 0;
  for (const auto& frame : frames_of(messages)) {
    BOOST_TEST_REQUIRE(frame.id == message_id);
    if (frame.op == pdu_op::search_entry) ++n;
  }
  return n;
}

}  // namespace understudy::test
