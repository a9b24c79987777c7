// Requests to frames, frames to outcomes.
#include "understudy/actors/node/remote_operation.hpp"

#include "understudy/actors/connection/request_check.hpp"

namespace understudy::internal {
namespace {

request_frame frame_of(request_kind kind, const request& order) {
  request_frame f;
  f.kind = kind;
  f.controls = order.controls;
  return f;
}

struct remote_request_writer {
  const request& order;

  remote_request operator()(const bind_request& r) const {
    auto f = frame_of(request_kind::bind, order);
    f.name = r.dn;
    f.password = r.password;
    return checked(std::move(f));
  }
  remote_request operator()(const password_modify_request& r) const {
    auto f = frame_of(request_kind::password_modify, order);
    f.value = r.user_identity;
    f.password = r.old_password;
    f.new_password = r.new_password;
    return checked(std::move(f));
  }
  remote_request operator()(const extended_request& r) const {
    auto f = frame_of(request_kind::extended, order);
    f.name = r.oid;
    f.value = r.value;
    f.flag = r.repeatable;
    return checked(std::move(f));
  }
  remote_request operator()(const whoami_request&) const {
    auto f = frame_of(request_kind::extended, order);
    f.name = extension::who_am_i;
    f.flag = true;
    return checked(std::move(f));
  }
  remote_request operator()(const opaque_request& r) const { return checked(encoded(r)); }
  template <class Operation>
  remote_request operator()(const Operation&) const {
    auto made = encode_operation(order);
    if (made.error) return {{}, std::move(made.error)};
    return {encoded(std::move(made.op)), nullptr};
  }

 private:
  static request_frame encoded(opaque_request op) {
    request_frame f;
    f.kind = request_kind::operation;
    f.protocol_op = std::move(op.protocol_op);
    f.encoded_controls = std::move(op.controls);
    return f;
  }
  remote_request checked(request_frame f) const {
    if (auto why = check_request(order)) return {{}, std::move(why)};
    return {std::move(f), nullptr};
  }
};

/// A node relays operations, and knows them as such: the refusal that a caller sees names what was asked.
failure_ptr named_refusal(const request& order, failure_ptr why) {
  if (why->code != errc::ldap_error || std::holds_alternative<opaque_request>(order.op)) return why;
  auto told = *why;
  result answer;
  answer.code = told.ldap_code;
  answer.server = told.server;
  told.message = refusal_of(order.op, answer).message;
  return make_failure(std::move(told));
}

/// Somebody else's operation: the answers are given its message id.
operation_outcome relayed(const opaque_request& op, const answer_frame& came, std::size_t most_bytes) {
  auto answer = std::make_shared<result>();
  answer->server = came.server;
  memory_allowance room{most_bytes};
  for (std::string_view rest{came.messages}; !rest.empty();) {
    const auto frame = frame_pdu(rest, rest.size());
    if (frame.state != pdu_frame::status::complete ||
        !decode_opaque(rest.substr(0, frame.size), frame.op, op.message_id, *answer, room))
      return {nullptr, unexpected_answer(came.server)};
    rest.remove_prefix(frame.size);
  }
  return {std::move(answer), nullptr};
}

/// Answers of that kind carry a result of their own.
bool has_outcome(const any_operation& op) noexcept {
  return std::holds_alternative<bind_request>(op) || std::holds_alternative<password_modify_request>(op) ||
         std::holds_alternative<extended_request>(op) || std::holds_alternative<whoami_request>(op);
}

operation_outcome read_outcome(const request& order, answer_frame came, std::size_t most_bytes) {
  const auto expected = has_outcome(order.op) ? answer_kind::outcome : answer_kind::messages;
  if (came.kind != expected) return {nullptr, unexpected_answer(came.server)};
  if (expected == answer_kind::outcome) return {std::make_shared<result>(std::move(came.outcome)), nullptr};
  if (const auto* opaque = std::get_if<opaque_request>(&order.op)) return relayed(*opaque, came, most_bytes);
  return decode_operation(order, came.messages, std::move(came.server), most_bytes);
}

}  // namespace

remote_request remote_request_of(const request& order) {
  auto made = std::visit(remote_request_writer{order}, order.op);
  if (!made.error) made.frame.wish = order.wish;
  return made;
}

operation_outcome outcome_of(const request& order, answer_frame came, std::size_t most_bytes, bool repeatable) {
  if (came.kind == answer_kind::failed) return {nullptr, named_refusal(order, std::move(came.error))};
  const auto node = came.server;
  auto got = read_outcome(order, std::move(came), most_bytes);
  if (got.error && got.error->code == errc::internal && !repeatable)
    got.error = unknown_after(describe(order.op), *got.error, node);
  return got;
}

failure_ptr unknown_after(const std::string& about, const failure& cause, const std::string& node) {
  failure why;
  why.code = errc::outcome_unknown;
  why.where = stage::operation;
  why.server = node;
  why.message = "The answer to the " + about +
                " cannot be read: it may or may not have been carried out. Look before it is repeated.";
  why.cause = cause.message;
  why.cause_code = cause.code;
  return make_failure(std::move(why));
}

failure link_of_lease_lost() {
  return *make_failure(errc::connection_unhealthy, stage::operation,
                       "The link to the node that the lease was of is lost; take another lease.");
}

failure parts_do_not_cross() {
  return *make_failure(errc::invalid_request, stage::operation,
                       "An answer in parts does not cross between nodes; use a streaming search.");
}

failure_ptr unexpected_answer(const std::string& node) {
  return make_failure(errc::internal, stage::operation,
                      "The node answered with what was not asked; please report it with the log.", node);
}

}  // namespace understudy::internal
