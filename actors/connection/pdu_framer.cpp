// The envelope of an LDAPMessage: SEQUENCE, length, message id, tag of protocolOp.
#include "understudy/actors/connection/pdu_framer.hpp"

#include "understudy/messages/ber.hpp"

namespace understudy::internal {
namespace {

constexpr std::size_t max_id_octets = 4;

std::uint8_t byte_at(std::string_view s, std::size_t i) noexcept { return static_cast<std::uint8_t>(s[i]); }

pdu_frame malformed(const char* why) noexcept {
  pdu_frame f;
  f.state = pdu_frame::status::malformed;
  f.why = why;
  return f;
}

/// Reads message id and operation from the bytes behind the sequence's header.
pdu_frame read_content(std::string_view content, std::size_t size) noexcept {
  if (content.empty() || byte_at(content, 0) != ber_tag::integer) return malformed("no message id");
  const auto length = read_ber_length(content.substr(1));
  if (length.state != ber_length::status::complete) return malformed("no message id");
  if (length.content == 0 || length.content > max_id_octets) return malformed("message id out of range");
  const auto begin = 1 + length.octets;
  if (content.size() < begin + length.content + 1) return malformed("no operation");
  const auto octets = content.substr(begin, length.content);
  if (!is_shortest_integer(octets) || (byte_at(octets, 0) & 0x80) != 0) return malformed("message id out of range");
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) id = id << 8 | byte_at(octets, i);
  pdu_frame f;
  f.op = byte_at(content, begin + octets.size());
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
  if (byte_at(stream, 0) != ber_tag::sequence) return malformed("not an LDAP message");
  const auto length = read_ber_length(stream.substr(1));
  if (length.state == ber_length::status::partial) return f;
  if (length.state == ber_length::status::malformed) return malformed("a length that is none");
  const auto header = 1 + length.octets;
  if (length.content > max_bytes || header + length.content > max_bytes)
    return malformed("message longer than max_pdu_bytes");
  f.size = header + length.content;
  if (stream.size() < f.size) return f;
  return read_content(stream.substr(header, length.content), f.size);
}

}  // namespace understudy::internal
