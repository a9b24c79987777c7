// Requests into bytes, answers into outcomes.
#include "understudy/actors/connection/operation_codec.hpp"

#include "understudy/actors/connection/request_check.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/ldap_message.hpp"

namespace understudy::internal {
namespace {

/// What tag and length of an element take at the most.
constexpr std::size_t head_at_most = 2 + sizeof(std::size_t);

std::size_t size_of(const attribute& a) {
  auto bytes = 4 * head_at_most + a.name.size();
  for (const auto& value : a.values) bytes += head_at_most + value.size();
  return bytes;
}

/// In memory of their size from the beginning: of a password among the values no copy is left behind.
struct operation_writer {
  std::string operator()(const compare_request& r) const {
    const auto room = 4 * head_at_most + r.dn.size() + r.attribute.size() + r.value.size();
    return make(opaque_request::compare, room, [&](ber_writer& to) {
      to.octets(r.dn);
      const auto assertion = to.open(ber_tag::sequence);
      to.octets(r.attribute);
      to.octets(r.value);
      to.close(assertion);
    });
  }
  std::string operator()(const add_request& r) const {
    auto room = 3 * head_at_most + r.dn.size();
    for (const auto& a : r.attributes) room += size_of(a);
    return make(opaque_request::add, room, [&](ber_writer& to) {
      to.octets(r.dn);
      const auto list = to.open(ber_tag::sequence);
      for (const auto& a : r.attributes) write_attribute(a, to);
      to.close(list);
    });
  }
  std::string operator()(const modify_request& r) const {
    auto room = 3 * head_at_most + r.dn.size();
    for (const auto& c : r.changes) room += size_of(c.target);
    return make(opaque_request::modify, room, [&](ber_writer& to) {
      to.octets(r.dn);
      const auto list = to.open(ber_tag::sequence);
      for (const auto& c : r.changes) {
        const auto one = to.open(ber_tag::sequence);
        to.integer(static_cast<int>(c.op), ber_tag::enumerated);
        write_attribute(c.target, to);
        to.close(one);
      }
      to.close(list);
    });
  }
  std::string operator()(const delete_request& r) const { return ber_octets(r.dn, opaque_request::remove); }
  std::string operator()(const modify_dn_request& r) const {
    constexpr std::uint8_t new_superior = 0x80;
    return make(opaque_request::modify_dn, 0, [&](ber_writer& to) {
      to.octets(r.dn);
      to.octets(r.new_rdn);
      to.boolean(r.delete_old_rdn);
      if (r.new_superior) to.octets(*r.new_superior, new_superior);
    });
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }

 private:
  template <class Fill>
  static std::string make(std::uint8_t tag, std::size_t room, Fill fill) {
    std::string out;
    out.reserve(room);
    ber_writer to{out};
    const auto all = to.open(tag);
    fill(to);
    to.close(all);
    return out;
  }
};

/// A SearchRequest and the controls behind it, out of the message that a connection would send.
std::string encode_search_parts(const request& order, const search_request& search, opaque_request& into) {
  std::string message;
  if (auto problem = encode_search(1, search, order.controls, message); !problem.empty()) return problem;
  const auto rest = behind_message_id(message);
  ber_cursor parts{rest};
  std::string_view body;
  parts.take(opaque_request::search, body);
  const auto size = static_cast<std::size_t>(body.data() + body.size() - rest.data());
  into.protocol_op = rest.substr(0, size);
  into.controls = rest.substr(size);
  return {};
}

/// The new password in the response value of a password modify (RFC 3062), when the server made one.
std::optional<std::string> generated_password(std::string_view value) {
  constexpr std::uint8_t gen_passwd = 0x80;
  const auto sequence = ber_cursor{value}.element(ber_tag::sequence);
  if (!sequence) return std::nullopt;
  const auto password = ber_cursor{*sequence}.element(gen_passwd);
  return password ? std::optional<std::string>{*password} : std::nullopt;
}

bool decode(std::string_view pdu, std::uint8_t tag, result& into, memory_allowance& room) {
  switch (tag) {
    case pdu_op::search_entry:
      return decode_search_entry(pdu, into, room);
    case pdu_op::search_reference:
      return decode_search_reference(pdu, into, room);
    case pdu_op::intermediate_response:
      return check_intermediate(pdu, room);
    case pdu_op::extended_response:
      return decode_extended(pdu, into, room);
    default:
      return decode_result(pdu, tag, into, room);
  }
}

failure_ptr result_too_large(std::size_t most_bytes, std::string server) {
  return make_failure(errc::result_too_large, stage::operation,
                      "The result takes more memory than limits.max_result_bytes (" + std::to_string(most_bytes) +
                          "); read it entry by entry with stream(), or in pages with paged().",
                      std::move(server));
}

}  // namespace

std::string encode_protocol_op(const any_operation& op) { return std::visit(operation_writer{}, op); }

encoded_operation encode_operation(const request& order) {
  if (auto why = check_request(order)) return {{}, std::move(why)};
  opaque_request made;
  if (const auto* search = std::get_if<search_request>(&order.op)) {
    if (const auto problem = encode_search_parts(order, *search, made); !problem.empty())
      return {{}, malformed_filter(order, problem)};
    return {std::move(made), nullptr};
  }
  made.protocol_op = encode_protocol_op(order.op);
  if (made.protocol_op.empty()) return {{}, not_sent(order, "it cannot be relayed in its LDAP encoding")};
  made.controls = encode_controls(order.controls);
  return {std::move(made), nullptr};
}

bool decode_answer(std::string_view pdu, std::uint8_t tag, const any_operation& op, result& into,
                   memory_allowance& room) {
  if (!decode(pdu, tag, into, room)) return false;
  if (std::holds_alternative<password_modify_request>(op) && into.response_value)
    into.response_value = into.code == result_code::success ? generated_password(*into.response_value) : std::nullopt;
  return true;
}

bool is_outcome(const any_operation& op, int code) noexcept {
  if (code == result_code::success) return true;
  // What the server says is for who asked, unless somebody else may be asked.
  if (std::holds_alternative<opaque_request>(op)) return !is_overload(code);
  return std::holds_alternative<compare_request>(op) &&
         (code == result_code::compare_true || code == result_code::compare_false);
}

failure refusal_of(const any_operation& op, const result& answer) {
  failure why;
  why.code = errc::ldap_error;
  why.message = answer.server + " refused the " + describe(op) + " with " + result_code_name(answer.code) + ".";
  why.server = answer.server;
  why.ldap_code = answer.code;
  if (std::holds_alternative<bind_request>(op) && classify(why) != failure_class::overload)
    why.code = errc::authentication_failed;
  why.matched_dn = answer.matched_dn;
  why.diagnostic = answer.diagnostic;
  why.referrals = answer.referrals;
  why.controls = answer.controls;
  return why;
}

operation_outcome decode_operation(const request& order, std::string_view messages, std::string server,
                                   std::size_t most_bytes) {
  const auto malformed = [&](const char* why) {
    return operation_outcome{nullptr,
                             make_failure(errc::internal, stage::operation,
                                          "What came back for the " + describe(order.op) + " is " + why + ".", server)};
  };
  auto answer = std::make_shared<result>();
  answer->server = server;
  memory_allowance room{most_bytes};
  while (!messages.empty()) {
    const auto frame = frame_pdu(messages, messages.size());
    if (frame.state != pdu_frame::status::complete) return malformed("no whole LDAP message");
    const bool good = decode_answer(messages.substr(0, frame.size), frame.op, order.op, *answer, room);
    if (room.exceeded()) return {nullptr, result_too_large(most_bytes, std::move(server))};
    if (!good) return malformed("malformed");
    messages.remove_prefix(frame.size);
    if (is_part(frame.op)) continue;
    if (frame.op != answer_tag(order.op) || !messages.empty()) return malformed("another operation's");
    if (is_outcome(order.op, answer->code)) return {std::move(answer), nullptr};
    auto why = refusal_of(order.op, *answer);
    if (!answer->entries.empty() || !answer->references.empty()) why.partial = std::move(answer);
    return {nullptr, make_failure(std::move(why))};
  }
  return malformed("without a result");
}

}  // namespace understudy::internal
