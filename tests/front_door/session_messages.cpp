// Cutting what a session says into messages.
#include "session_messages.hpp"

#include "understudy/actors/connection/pdu_framer.hpp"

#include <stdexcept>

namespace understudy::test {

std::vector<raw_answer> answers_in(std::string_view bytes) {
  std::vector<raw_answer> all;
  while (!bytes.empty()) {
    const auto frame = internal::frame_pdu(bytes, bytes.size());
    if (frame.state != internal::pdu_frame::status::complete) throw std::runtime_error("no whole message");
    all.push_back(decode_answer(bytes.substr(0, frame.size)));
    bytes.remove_prefix(frame.size);
  }
  return all;
}

}  // namespace understudy::test
