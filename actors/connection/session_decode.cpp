// PDUs from libldap's hands into plain values.
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/session.hpp"

#include <lber.h>
#include <ldap.h>
#include <memory>

namespace understudy {
namespace {

struct message_free {
  void operator()(LDAPMessage* m) const noexcept { ::ldap_msgfree(m); }
};
using message_ptr = std::unique_ptr<LDAPMessage, message_free>;

struct memory_free {
  void operator()(void* p) const noexcept { ::ldap_memfree(p); }
};
using text_ptr = std::unique_ptr<char, memory_free>;

std::string to_string(const berval& b) { return {b.bv_val, b.bv_len}; }
std::string to_string(const text_ptr& t) { return t ? std::string{t.get()} : std::string{}; }

std::vector<std::string> take_texts(char** texts) {
  std::vector<std::string> out;
  for (char** t = texts; t != nullptr && *t != nullptr; ++t) out.emplace_back(*t);
  ::ber_memvfree(reinterpret_cast<void**>(texts));
  return out;
}

std::vector<control> take_controls(LDAPControl** controls) {
  std::vector<control> out;
  for (auto** c = controls; c != nullptr && *c != nullptr; ++c) {
    control made{(*c)->ldctl_oid, (*c)->ldctl_iscritical != 0, std::nullopt};
    if ((*c)->ldctl_value.bv_val != nullptr) made.value = to_string((*c)->ldctl_value);
    out.push_back(std::move(made));
  }
  ::ldap_controls_free(controls);
  return out;
}

bool decode_reference(LDAP* handle, LDAPMessage* message, result& into) {
  char** uris = nullptr;
  if (::ldap_parse_reference(handle, message, &uris, nullptr, 0) != LDAP_SUCCESS) return false;
  into.reference_positions.push_back(into.entries.size());
  into.references.push_back(take_texts(uris));
  return true;
}

bool decode_result(LDAP* handle, LDAPMessage* message, result& into) {
  char *matched = nullptr, *diagnostic = nullptr, **referrals = nullptr;
  LDAPControl** controls = nullptr;
  const int code = ::ldap_parse_result(handle, message, &into.code, &matched, &diagnostic, &referrals, &controls, 0);
  const text_ptr matched_text{matched}, diagnostic_text{diagnostic};
  into.matched_dn = to_string(matched_text);
  into.diagnostic = to_string(diagnostic_text);
  into.referrals = take_texts(referrals);
  into.controls = take_controls(controls);
  // A referral of a bind or the like is a result for us, not an error of decoding.
  return code == LDAP_SUCCESS && into.code >= 0;
}

bool decode_extended(LDAP* handle, LDAPMessage* message, bool password_modify, result& into) {
  char* oid = nullptr;
  berval* data = nullptr;
  const int code = ::ldap_parse_extended_result(handle, message, &oid, &data, 0);
  const text_ptr oid_text{oid};
  const std::unique_ptr<berval, void (*)(berval*)> value{data, [](berval* b) { ::ber_bvfree(b); }};
  if (code != LDAP_SUCCESS && code != into.code) return false;
  into.response_oid = to_string(oid_text);
  if (!value) return true;
  if (!password_modify) {
    into.response_value = to_string(*value);
    return true;
  }
  berval generated{};
  if (into.code == LDAP_SUCCESS && ::ldap_parse_passwd(handle, message, &generated) == LDAP_SUCCESS &&
      generated.bv_val != nullptr) {
    into.response_value = to_string(generated);
    ::ldap_memfree(generated.bv_val);
  }
  return true;
}

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

}  // namespace

bool answers(std::uint8_t tag, const any_operation& op) noexcept {
  if (tag == std::visit(answer_tag{}, op) || tag == pdu_op::intermediate_response) return true;
  return std::holds_alternative<search_request>(op) && (tag == pdu_op::search_entry || tag == pdu_op::search_reference);
}

/// Exactly the PDU that was granted; null when libldap could not make a message of it.
LDAPMessage* session::next_message(const pdu_frame& frame) {
  transport_.grant(frame.size);
  timeval no_wait{0, 0};
  LDAPMessage* message = nullptr;
  const int kind = ::ldap_result(handle_, LDAP_RES_ANY, LDAP_MSG_ONE, &no_wait, &message);
  if (kind > 0 && transport_.granted() == 0 && ::ldap_msgid(message) == frame.id) return message;
  ::ldap_msgfree(message);
  return nullptr;
}

decoded_pdu session::decode(const pdu_frame& frame, const any_operation& op, result& into) {
  if (!answers(frame.op, op)) return decoded_pdu::malformed;
  const auto verdict = [](bool ok, decoded_pdu otherwise) { return ok ? otherwise : decoded_pdu::malformed; };
  // libldap keeps no account of entries, only of the results that follow them.
  if (is_own(frame.id) || frame.op == pdu_op::search_entry) {
    const auto pdu = transport_.front(frame.size);
    const auto kind = frame.op == pdu_op::search_done ? decoded_pdu::complete : decoded_pdu::part;
    const bool good = frame.op == pdu_op::search_entry       ? decode_search_entry(pdu, into)
                      : frame.op == pdu_op::search_reference ? decode_search_reference(pdu, into)
                      : frame.op == pdu_op::search_done      ? decode_search_done(pdu, into)
                                                             : true;
    transport_.skip(frame.size);
    return verdict(good, kind);
  }
  const message_ptr message{next_message(frame)};
  if (!message) return decoded_pdu::malformed;
  switch (frame.op) {
    case pdu_op::search_reference:
      return verdict(decode_reference(handle_, message.get(), into), decoded_pdu::part);
    case pdu_op::intermediate_response:
      return decoded_pdu::part;
    default:
      break;
  }
  bool ok = decode_result(handle_, message.get(), into);
  if (ok && frame.op == pdu_op::extended_response) {
    ok = decode_extended(handle_, message.get(), std::holds_alternative<password_modify_request>(op), into);
  }
  return verdict(ok, decoded_pdu::complete);
}

std::string session::decode_notification(const pdu_frame& frame, result& into) {
  const bool good = understudy::decode_notification(transport_.front(frame.size), into);
  transport_.skip(frame.size);
  return good ? into.response_oid : std::string{};
}

}  // namespace understudy
