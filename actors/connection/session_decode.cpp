// PDUs into plain values, and libldap's books kept in order.
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/session.hpp"
#include "understudy/messages/ber.hpp"

#include <ldap.h>

namespace understudy {
namespace {

// Nobody sends more than a line of text and a few referrals.
constexpr std::size_t largest_notification = 1024 * 1024;

struct answer_tag {
  std::uint8_t operator()(const search_request&) const noexcept { return pdu_op::search_done; }
  std::uint8_t operator()(const compare_request&) const noexcept { return pdu_op::compare_response; }
  std::uint8_t operator()(const add_request&) const noexcept { return pdu_op::add_response; }
  std::uint8_t operator()(const modify_request&) const noexcept { return pdu_op::modify_response; }
  std::uint8_t operator()(const delete_request&) const noexcept { return pdu_op::delete_response; }
  std::uint8_t operator()(const modify_dn_request&) const noexcept { return pdu_op::modify_dn_response; }
  std::uint8_t operator()(const bind_request&) const noexcept { return pdu_op::bind_response; }
  std::uint8_t operator()(const extended_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const whoami_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const password_modify_request&) const noexcept { return pdu_op::extended_response; }
};

/// The new password in the response value of a password modify (RFC 3062), when the server made one.
std::optional<std::string> generated_password(std::string_view value) {
  constexpr std::uint8_t gen_passwd = 0x80;
  const auto sequence = ber_cursor{value}.element(ber_tag::sequence);
  if (!sequence) return std::nullopt;
  const auto password = ber_cursor{*sequence}.element(gen_passwd);
  return password ? std::optional<std::string>{*password} : std::nullopt;
}

bool decode_answer(std::string_view pdu, std::uint8_t op, result& into, memory_allowance& room) {
  switch (op) {
    case pdu_op::search_entry:
      return decode_search_entry(pdu, into, room);
    case pdu_op::search_reference:
      return decode_search_reference(pdu, into, room);
    case pdu_op::intermediate_response:
      return check_intermediate(pdu, room);
    case pdu_op::extended_response:
      return decode_extended(pdu, into, room);
    default:
      return decode_result(pdu, op, into, room);
  }
}

}  // namespace

bool is_part(std::uint8_t tag) noexcept {
  return tag == pdu_op::search_entry || tag == pdu_op::search_reference || tag == pdu_op::intermediate_response;
}

bool is_answer(std::uint8_t tag) noexcept {
  switch (tag) {
    case pdu_op::bind_response:
    case pdu_op::search_done:
    case pdu_op::modify_response:
    case pdu_op::add_response:
    case pdu_op::delete_response:
    case pdu_op::modify_dn_response:
    case pdu_op::compare_response:
    case pdu_op::extended_response:
      return true;
    default:
      return is_part(tag);
  }
}

bool answers(std::uint8_t tag, const any_operation& op) noexcept {
  if (tag == std::visit(answer_tag{}, op) || tag == pdu_op::intermediate_response) return true;
  return std::holds_alternative<search_request>(op) && (tag == pdu_op::search_entry || tag == pdu_op::search_reference);
}

/// Gives libldap exactly this PDU: it keeps a table of its requests until it has seen their results. False when it
/// made no sense of it.
bool session::settle_with_libldap(const pdu_frame& frame) {
  transport_.grant(frame.size);
  timeval no_wait{0, 0};
  LDAPMessage* message = nullptr;
  const int kind = ::ldap_result(handle_, LDAP_RES_ANY, LDAP_MSG_ONE, &no_wait, &message);
  const bool settled = kind > 0 && transport_.granted() == 0 && ::ldap_msgid(message) == frame.id;
  ::ldap_msgfree(message);
  return settled;
}

decoded_pdu session::decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room) {
  if (!answers(frame.op, op)) return decoded_pdu::malformed;
  const bool good = decode_answer(transport_.front(frame.size), frame.op, into, room);
  if (!good && !room.exceeded()) return decoded_pdu::malformed;
  if (is_part(frame.op) || is_own(frame.id)) {
    transport_.skip(frame.size);
  } else if (!settle_with_libldap(frame)) {
    return decoded_pdu::malformed;
  }
  if (!good) return decoded_pdu::too_large;
  if (std::holds_alternative<password_modify_request>(op) && into.response_value)
    into.response_value = into.code == result_code::success ? generated_password(*into.response_value) : std::nullopt;
  return is_part(frame.op) ? decoded_pdu::part : decoded_pdu::complete;
}

bool session::decode_notification(const pdu_frame& frame, result& into) {
  if (frame.op != pdu_op::extended_response) return false;
  memory_allowance room{largest_notification};
  const bool good = decode_extended(transport_.front(frame.size), into, room);
  transport_.skip(frame.size);
  return good && !into.response_oid.empty();
}

}  // namespace understudy
