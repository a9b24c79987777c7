// Frames in BER: a SEQUENCE of numbered fields, of which the version comes first.
#include "understudy/actors/node/frame.hpp"

#include "understudy/actors/node/failure_fields.hpp"
#include "understudy/messages/enum_name.hpp"

#include <array>

namespace understudy::internal {
namespace {

constexpr std::uint8_t version_field = 0, kind_field = 1;

/// The fields of a request, from the third on.
enum request_field : std::uint8_t {
  number_field = 2,
  left_field,
  lease_field,
  target_field,
  flag_field,
  span_field,
  protocol_op_field,
  encoded_controls_field,
  name_field,
  value_field,
  password_field,
  new_password_field,
  control_field,
  anew_field,
  wished_server_field,
  global_catalog_field,
};

/// The same of an answer.
enum answer_field : std::uint8_t {
  error_field = 2,
  answer_flag_field,
  messages_field,
  server_field,
  code_field,
  matched_field,
  diagnostic_field,
  referral_field,
  answer_control_field,
  response_oid_field,
  response_value_field,
  granted_lease_field,
  connection_field,
  granted_server_field,
  body_field,
  size_field,
};

enum terms_field : std::uint8_t {
  node_name_field,
  permission_field,
  most_requests_field,
  most_bytes_field,
  longest_frame_field,
  silence_field,
  compression_field,
};

failure_ptr malformed(const char* which) {
  return make_failure(errc::invalid_request, stage::operation,
                      std::string{which} + " of the other side is malformed; one of the two has a defect.");
}

failure_ptr unknown_version(std::int64_t theirs) {
  return make_failure(errc::invalid_request, stage::operation,
                      "The other side speaks version " + std::to_string(theirs) +
                          " of the protocol between nodes, this one understands versions " +
                          std::to_string(oldest_version) + " to " + std::to_string(newest_version) +
                          "; bring both to releases that have one in common.");
}

/// The fields behind the version of a frame that is understood; null, or why there are none.
failure_ptr open_frame(std::string_view bytes, const char* which, field_reader& fields) {
  ber_cursor whole{bytes};
  std::string_view content;
  if (!whole.take(ber_tag::sequence, content) || !whole.finished()) return malformed(which);
  fields = field_reader{content};
  if (!fields.next() || fields.number() != version_field) return malformed(which);
  const auto version = fields.integer(1, INT64_MAX);
  if (!fields.good()) return malformed(which);
  if (version < oldest_version || version > newest_version) return unknown_version(version);
  if (!fields.next() || fields.number() != kind_field) return malformed(which);
  return nullptr;
}

/// SEQUENCE { fields }, in memory of that size from the beginning: no copy is left behind that nobody wipes.
template <class Kind, class Fill>
std::string frame_of(Kind kind, std::size_t room, Fill fill) {
  constexpr std::size_t longest_head = 10;
  std::string whole;
  whole.reserve(room + longest_head);
  ber_writer frame{whole};
  const auto begin = frame.open(ber_tag::sequence);
  field_writer to{whole};
  to.number(version_field, newest_version);
  to.always(kind_field, static_cast<std::int64_t>(kind));
  fill(to);
  frame.close(begin);
  return whole;
}

std::size_t size_of(const std::vector<control>& controls) {
  std::size_t bytes = 0;
  for (const auto& c : controls) bytes += 32 + c.oid.size() + c.value.value_or("").size();
  return bytes;
}

}  // namespace

std::string_view to_string(request_kind kind) noexcept {
  constexpr std::array<std::string_view, request_kinds> names{
      "hello",     "ping",   "operation", "bind",   "password modify", "extended operation",
      "acquire",   "claim",  "release",   "check",  "inspect",         "begin stream",
      "next part", "cancel", "status",    "health", "suspend",         "resume",
      "drain",     "reload", "exchange",  "tap"};
  return enum_name(kind, names);
}

answer_frame failed_answer(failure_ptr why) {
  answer_frame f;
  f.kind = answer_kind::failed;
  f.error = std::move(why);
  return f;
}

std::string_view to_string(node_permission may) noexcept {
  return may == node_permission::admin ? "admin" : may == node_permission::write ? "write" : "read";
}

std::string encode(const request_frame& f) {
  const auto room = 256 + f.protocol_op.size() + f.encoded_controls.size() + f.name.size() +
                    f.value.value_or("").size() + f.password.size() + f.new_password.size() + size_of(f.controls) +
                    f.wish.server.size();
  return frame_of(f.kind, room, [&](field_writer& to) {
    to.count(number_field, f.number);
    to.number(left_field, f.left.count());
    to.count(lease_field, f.lease);
    to.count(target_field, f.target);
    to.flag(flag_field, f.flag);
    to.number(span_field, f.span.count());
    to.text(protocol_op_field, f.protocol_op);
    to.text(encoded_controls_field, f.encoded_controls);
    to.text(name_field, f.name);
    if (f.value) to.bytes(value_field, *f.value);
    if (!f.password.empty()) to.bytes(password_field, f.password.reveal());
    if (!f.new_password.empty()) to.bytes(new_password_field, f.new_password.reveal());
    for (const auto& c : f.controls) write_control(control_field, c, to);
    to.flag(anew_field, f.anew);
    to.text(wished_server_field, f.wish.server);
    to.flag(global_catalog_field, f.wish.global_catalog);
  });
}

decoded<request_frame> decode_request(std::string_view bytes) {
  field_reader in{{}};
  if (auto why = open_frame(bytes, "A request", in)) return {{}, std::move(why)};
  request_frame f;
  f.kind = static_cast<request_kind>(in.integer(0, 255));
  if (in.good() && static_cast<std::size_t>(f.kind) >= request_kinds)
    return {{},
            make_failure(errc::invalid_request, stage::operation,
                         "This node does not know requests of kind " + std::to_string(static_cast<unsigned>(f.kind)) +
                             "; it is of an older release.")};
  while (in.next()) {
    switch (in.number()) {
      case number_field:
        f.number = in.count();
        break;
      case left_field:
        f.left = in.limit();
        break;
      case lease_field:
        f.lease = in.count();
        break;
      case target_field:
        f.target = in.count();
        break;
      case flag_field:
        f.flag = in.flag();
        break;
      case span_field:
        f.span = in.limit();
        break;
      case protocol_op_field:
        f.protocol_op = in.text();
        break;
      case encoded_controls_field:
        f.encoded_controls = in.text();
        break;
      case name_field:
        f.name = in.text();
        break;
      case value_field:
        f.value = in.text();
        break;
      case password_field:
        f.password = secret{in.content()};
        break;
      case new_password_field:
        f.new_password = secret{in.content()};
        break;
      case control_field:
        in.note(read_control(in.content(), in.one_more(f.controls)));
        break;
      case anew_field:
        f.anew = in.flag();
        break;
      case wished_server_field:
        f.wish.server = in.text();
        break;
      case global_catalog_field:
        f.wish.global_catalog = in.flag();
        break;
      default:
        break;
    }
  }
  if (!in.good()) return {{}, malformed("A request")};
  return {std::move(f), nullptr};
}

std::string encode(const answer_frame& f) {
  const auto& o = f.outcome;
  const auto room = 512 + f.messages.size() + f.body.size() + o.diagnostic.size() + o.matched_dn.size() +
                    o.response_value.value_or("").size() + size_of(o.controls);
  return frame_of(f.kind, room, [&](field_writer& to) {
    if (f.error) to.group(error_field, [&](field_writer& in) { write_failure(*f.error, in); });
    to.flag(answer_flag_field, f.flag);
    to.text(messages_field, f.messages);
    to.text(server_field, f.server);
    to.number(code_field, o.code);
    to.text(matched_field, o.matched_dn);
    to.text(diagnostic_field, o.diagnostic);
    for (const auto& uri : o.referrals) to.bytes(referral_field, uri);
    for (const auto& c : o.controls) write_control(answer_control_field, c, to);
    to.text(response_oid_field, o.response_oid);
    if (o.response_value) to.bytes(response_value_field, *o.response_value);
    to.count(granted_lease_field, f.grant.lease);
    to.count(connection_field, f.grant.connection);
    to.count(granted_server_field, f.grant.server);
    to.text(body_field, f.body);
    to.count(size_field, f.size);
  });
}

decoded<answer_frame> decode_answer(std::string_view bytes) {
  field_reader in{{}};
  if (auto why = open_frame(bytes, "An answer", in)) return {{}, std::move(why)};
  answer_frame f;
  f.kind = in.one_up_to(answer_kind::compressed);
  auto& o = f.outcome;
  while (in.next()) {
    switch (in.number()) {
      case error_field: {
        failure read;
        in.note(read_failure(in.content(), read));
        f.error = make_failure(std::move(read));
        break;
      }
      case answer_flag_field:
        f.flag = in.flag();
        break;
      case messages_field:
        f.messages = in.text();
        break;
      case server_field:
        f.server = in.text();
        break;
      case code_field:
        o.code = static_cast<int>(in.integer(0, INT32_MAX));
        break;
      case matched_field:
        o.matched_dn = in.text();
        break;
      case diagnostic_field:
        o.diagnostic = in.text();
        break;
      case referral_field:
        in.one_more(o.referrals) = in.text();
        break;
      case answer_control_field:
        in.note(read_control(in.content(), in.one_more(o.controls)));
        break;
      case response_oid_field:
        o.response_oid = in.text();
        break;
      case response_value_field:
        o.response_value = in.text();
        break;
      case granted_lease_field:
        f.grant.lease = in.count();
        break;
      case connection_field:
        f.grant.connection = in.count();
        break;
      case granted_server_field:
        f.grant.server = in.count32();
        break;
      case body_field:
        f.body = in.text();
        break;
      case size_field:
        f.size = in.count();
        break;
      default:
        break;
    }
  }
  if (!in.good() || (f.kind == answer_kind::failed) != (f.error != nullptr)) return {{}, malformed("An answer")};
  o.server = f.grant.server_name = f.server;
  return {std::move(f), nullptr};
}

std::string encode(const node_terms& t) {
  std::string out;
  field_writer to{out};
  to.text(node_name_field, t.name);
  to.number(permission_field, static_cast<int>(t.permission));
  to.count(most_requests_field, t.most_requests);
  to.count(most_bytes_field, t.most_bytes);
  to.count(longest_frame_field, t.longest_frame);
  to.number(silence_field, t.silence.count());
  to.flag(compression_field, t.compression);
  return out;
}

decoded<node_terms> decode_terms(std::string_view bytes) {
  node_terms t;
  field_reader in{bytes};
  while (in.next()) {
    switch (in.number()) {
      case node_name_field:
        t.name = in.text();
        break;
      case permission_field:
        t.permission = in.one_up_to(node_permission::admin);
        break;
      case most_requests_field:
        t.most_requests = in.count32();
        break;
      case most_bytes_field:
        t.most_bytes = in.count();
        break;
      case longest_frame_field:
        t.longest_frame = in.count();
        break;
      case silence_field:
        t.silence = in.limit();
        break;
      case compression_field:
        t.compression = in.flag();
        break;
      default:
        break;
    }
  }
  if (!in.good() || t.most_requests == 0 || t.most_bytes == 0 || t.longest_frame == 0 || t.silence <= milliseconds{0})
    return {{}, malformed("The answer to hello")};
  return {std::move(t), nullptr};
}

}  // namespace understudy::internal
