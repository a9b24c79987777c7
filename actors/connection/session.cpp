// Message ids, and who encodes and decodes what.
#include "understudy/actors/connection/session.hpp"
#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/messages/ldap_message.hpp"

namespace understudy::internal {
namespace {

constexpr std::size_t kept_scratch = 4096;

// Nobody sends more than a line of text and a few referrals.
constexpr std::size_t largest_notification = 1024 * 1024;

}  // namespace

failure_ptr session::open() {
  last_id_ = 0;
  return libldap_.open(transport_.fd());
}

void session::close(bool polite) noexcept {
  if (!libldap_.is_open()) return;
  libldap_.close();
  if (!polite) return;
  scratch_.clear();
  encode_unbind(next_id(), scratch_);
  transport_.append(scratch_.data(), scratch_.size());
}

/// `error`: of what was to be appended with next_id() at `begin`; null when it was.
encoded_request session::encoded(std::uint64_t begin, failure_ptr error) {
  encoded_request r;
  if (error) {
    r.error = std::move(error);
    return r;
  }
  r.id = ++last_id_;
  r.begin = begin;
  r.size = static_cast<std::size_t>(transport_.appended() - begin);
  return r;
}

void session::append_message(std::string_view protocol_op, std::string_view controls) {
  scratch_.clear();
  append_message_head(next_id(), protocol_op.size() + controls.size(), scratch_);
  transport_.append(scratch_.data(), scratch_.size());
  // There may be a password in it, or what a bind proves.
  const auto tag = protocol_op.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(protocol_op[0]);
  if (tag != opaque_request::search)
    transport_.append_secret(protocol_op.data(), protocol_op.size());
  else
    transport_.append(protocol_op.data(), protocol_op.size());
  transport_.append(controls.data(), controls.size());
}

encoded_request session::encode(const request& order) {
  const auto begin = transport_.appended();
  if (const auto* opaque = std::get_if<opaque_request>(&order.op)) {
    append_message(opaque->protocol_op, opaque->controls);
    return encoded(begin, nullptr);
  }
  const auto* search = std::get_if<search_request>(&order.op);
  if (search == nullptr) {
    auto protocol_op = encode_protocol_op(order.op);
    if (protocol_op.empty()) return encoded(begin, libldap_.encode(order, next_id(), transport_));
    append_message(protocol_op, encode_controls(order.controls));
    wipe(protocol_op);
    return encoded(begin, nullptr);
  }
  scratch_.clear();
  const auto problem = encode_search(next_id(), *search, order.controls, scratch_);
  if (!problem.empty()) return encoded(begin, malformed_filter(order, problem));
  transport_.append(scratch_.data(), scratch_.size());
  if (scratch_.capacity() > kept_scratch) std::string{}.swap(scratch_);
  return encoded(begin, nullptr);
}

encoded_request session::encode_bind(const std::string& dn, const secret& password) {
  const auto begin = transport_.appended();
  return encoded(begin, libldap_.encode_bind(dn, password, next_id(), transport_));
}

encoded_request session::encode_external_bind() {
  const auto begin = transport_.appended();
  return encoded(begin, libldap_.encode_external_bind(next_id(), transport_));
}

encoded_request session::encode_start_tls() {
  const auto begin = transport_.appended();
  return encoded(begin, libldap_.encode_start_tls(next_id(), transport_));
}

void session::abandon(int id) {
  scratch_.clear();
  encode_abandon(next_id(), id, scratch_);
  transport_.append(scratch_.data(), scratch_.size());
  ++last_id_;
}

// ---- answers: PDUs into plain values ----

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
  if (tag == answer_tag(op) || tag == pdu_op::intermediate_response) return true;
  return answer_tag(op) == pdu_op::search_done && (tag == pdu_op::search_entry || tag == pdu_op::search_reference);
}

decoded_pdu session::decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room) {
  if (!answers(frame.op, op)) return decoded_pdu::malformed;
  const auto pdu = transport_.front(frame.size);
  const auto* opaque = std::get_if<opaque_request>(&op);
  const bool good = opaque != nullptr ? decode_opaque(pdu, frame.op, opaque->message_id, into, room)
                                      : decode_answer(pdu, frame.op, op, into, room);
  if (!good && !room.exceeded()) return decoded_pdu::malformed;
  transport_.skip(frame.size);
  if (!good) return decoded_pdu::too_large;
  return is_part(frame.op) ? decoded_pdu::part : decoded_pdu::complete;
}

bool session::decode_notification(const pdu_frame& frame, result& into) {
  if (frame.op != pdu_op::extended_response) return false;
  memory_allowance room{largest_notification};
  const bool good = decode_extended(transport_.front(frame.size), into, room);
  transport_.skip(frame.size);
  return good && !into.response_oid.empty();
}

}  // namespace understudy::internal
