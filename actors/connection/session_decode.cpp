// PDUs into plain values, and libldap's books kept in order.
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/session.hpp"
#include "understudy/messages/ber.hpp"

#include <ldap.h>

namespace understudy {
namespace {

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

bool is_part(std::uint8_t op) noexcept {
  return op == pdu_op::search_entry || op == pdu_op::search_reference || op == pdu_op::intermediate_response;
}

/// The new password in the response value of a password modify (RFC 3062), when the server made one.
std::optional<std::string> generated_password(std::string_view value) {
  constexpr std::uint8_t gen_passwd = 0x80;
  const auto sequence = ber_cursor{value}.element(ber_tag::sequence);
  if (!sequence) return std::nullopt;
  const auto password = ber_cursor{*sequence}.element(gen_passwd);
  return password ? std::optional<std::string>{*password} : std::nullopt;
}

bool decode_answer(std::string_view pdu, std::uint8_t op, result& into) {
  switch (op) {
    case pdu_op::search_entry:
      return decode_search_entry(pdu, into);
    case pdu_op::search_reference:
      return decode_search_reference(pdu, into);
    case pdu_op::intermediate_response:
      return true;
    case pdu_op::extended_response:
      return decode_extended(pdu, into);
    default:
      return decode_result(pdu, op, into);
  }
}

}  // namespace

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

decoded_pdu session::decode(const pdu_frame& frame, const any_operation& op, result& into) {
  if (!answers(frame.op, op) || !decode_answer(transport_.front(frame.size), frame.op, into))
    return decoded_pdu::malformed;
  if (is_part(frame.op) || is_own(frame.id)) {
    transport_.skip(frame.size);
  } else if (!settle_with_libldap(frame)) {
    return decoded_pdu::malformed;
  }
  if (std::holds_alternative<password_modify_request>(op) && into.response_value)
    into.response_value = into.code == result_code::success ? generated_password(*into.response_value) : std::nullopt;
  return is_part(frame.op) ? decoded_pdu::part : decoded_pdu::complete;
}

std::string session::decode_notification(const pdu_frame& frame, result& into) {
  const bool good = decode_extended(transport_.front(frame.size), into);
  transport_.skip(frame.size);
  return good ? into.response_oid : std::string{};
}

}  // namespace understudy
