// The envelope of an LDAPMessage: SEQUENCE, length, message id, tag of protocolOp.
#include "understudy/actors/connection/pdu_framer.hpp"

namespace understudy {
namespace {

constexpr std::uint8_t sequence_tag = 0x30, integer_tag = 0x02;
constexpr std::size_t max_length_octets = 4, max_id_octets = 4;

std::uint8_t byte_at(std::string_view s, std::size_t i) noexcept { return static_cast<std::uint8_t>(s[i]); }

pdu_frame malformed(const char* why) noexcept {
  pdu_frame f;
  f.state = pdu_frame::status::malformed;
  f.why = why;
  return f;
}

/// Reads message id and operation from the bytes behind the sequence's header.
pdu_frame read_content(std::string_view content, std::size_t size) noexcept {
  if (content.size() < 2 || byte_at(content, 0) != integer_tag) return malformed("no message id");
  const std::size_t octets = byte_at(content, 1);
  if (octets == 0 || octets > max_id_octets) return malformed("message id out of range");
  if (content.size() < 2 + octets + 1) return malformed("no operation");
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < octets; ++i) id = id << 8 | byte_at(content, 2 + i);
  if ((byte_at(content, 2) & 0x80) != 0) return malformed("message id out of range");
  pdu_frame f;
  f.op = byte_at(content, 2 + octets);
  if ((f.op & 0xc0) != 0x40) return malformed("no operation");
  f.state = pdu_frame::status::complete;
  f.size = size;
  f.id = static_cast<std::int32_t>(id);
  return f;
}

}  // namespace

pdu_frame frame_pdu(std::string_view stream, std::size_t max_bytes) noexcept {
  pdu_frame f;
  if (stream.empty()) return f;
  if (byte_at(stream, 0) != sequence_tag) return malformed("not an LDAP message");
  if (stream.size() < 2) return f;
  std::size_t header = 2, length = byte_at(stream, 1);
  if ((length & 0x80) != 0) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0) return malformed("indefinite length");
    if (octets > max_length_octets) return malformed("length field too long");
    if (stream.size() < 2 + octets) return f;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | byte_at(stream, 2 + i);
    header += octets;
  }
  if (header + length > max_bytes) return malformed("message longer than max_pdu_bytes");
  f.size = header + length;
  if (stream.size() < f.size) return f;
  return read_content(stream.substr(header, length), f.size);
}

}  // namespace understudy
