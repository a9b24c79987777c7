// An exchange in numbered fields. A number is never given to something else; new ones go to the end.
#include "understudy/actors/node/exchange.hpp"

#include "understudy/actors/node/fields.hpp"

namespace understudy::internal {
namespace {

using limits = exchange_limits;

enum field : std::uint8_t {
  incarnation_field,
  budget_field,
  node_field,
  server_field,
  refusal_field,
  request_field,
  grant_field,
  recalled_field,
  standing_field,
};
enum health_field : std::uint8_t { name_part, breaker_part, down_for_part, reason_part };
enum refusal_part : std::uint8_t { identity_part, fingerprint_part, ago_part, cause_part };
enum request_part : std::uint8_t { request_server, request_incarnation, request_number, request_held, request_wanted };
enum grant_part : std::uint8_t { grant_server, grant_borrower, grant_number, grant_may_use };

std::string_view cut(std::string_view text, std::size_t most) { return text.substr(0, most); }

template <class T>
std::size_t count(const std::vector<T>& list, std::size_t most) {
  return std::min(list.size(), most);
}

/// A text of at least one byte, and `most` at most.
std::string name_of(field_reader& in, std::size_t most) {
  in.note(!in.content().empty() && in.content().size() <= most);
  return in.good() ? in.text() : std::string{};
}
std::string text_of(field_reader& in, std::size_t most) {
  in.note(in.content().size() <= most);
  return in.good() ? in.text() : std::string{};
}

template <class T>
T* one_more(field_reader& in, std::vector<T>& list, std::size_t most) {
  in.note(list.size() < most);
  return in.good() ? &list.emplace_back() : nullptr;
}

bool read(std::string_view bytes, told_health& into) {
  field_reader in{bytes};
  while (in.next()) {
    if (in.number() == name_part) into.server = name_of(in, limits::name);
    if (in.number() == breaker_part) into.breaker = in.one_up_to(breaker_state::suspended);
    if (in.number() == down_for_part) into.down_for = in.limit();
    if (in.number() == reason_part) into.reason = text_of(in, limits::text);
  }
  return in.good() && !into.server.empty();
}

bool read(std::string_view bytes, told_refusal& into) {
  field_reader in{bytes};
  while (in.next()) {
    if (in.number() == identity_part) into.identity = name_of(in, limits::identity);
    if (in.number() == fingerprint_part) into.fingerprint = name_of(in, limits::name);
    if (in.number() == ago_part) into.ago = in.limit();
    if (in.number() == cause_part) into.cause = text_of(in, limits::text);
  }
  return in.good() && !into.identity.empty() && !into.fingerprint.empty();
}

bool read(std::string_view bytes, told_request& into) {
  field_reader in{bytes};
  while (in.next()) {
    if (in.number() == request_server) into.server = name_of(in, limits::name);
    if (in.number() == request_incarnation) into.request.incarnation = in.count();
    if (in.number() == request_number) into.request.number = in.count();
    if (in.number() == request_held) into.request.held = in.count32();
    if (in.number() == request_wanted) into.request.wanted = in.count32();
  }
  return in.good() && !into.server.empty() && into.request.number != 0;
}

bool read(std::string_view bytes, told_grant& into) {
  field_reader in{bytes};
  while (in.next()) {
    if (in.number() == grant_server) into.server = name_of(in, limits::name);
    if (in.number() == grant_borrower) into.borrower = in.count();
    if (in.number() == grant_number) into.number = in.count();
    if (in.number() == grant_may_use) into.may_use = in.count32();
  }
  return in.good() && !into.server.empty() && into.number != 0;
}

template <class T>
void read_one(field_reader& in, std::vector<T>& list, std::size_t most) {
  if (T* into = one_more(in, list, most)) in.note(read(in.content(), *into));
}

failure_ptr malformed() {
  return make_failure(errc::invalid_request, stage::operation,
                      "What another node tells of the cluster is malformed; one of the two has a defect.");
}

}  // namespace

std::string encode(const exchange& told) {
  std::string out;
  field_writer to{out};
  to.count(incarnation_field, told.incarnation);
  to.number(budget_field, told.budget);
  for (std::size_t i = 0; i < count(told.nodes, limits::nodes); ++i)
    to.bytes(node_field, cut(told.nodes[i], limits::name));
  for (std::size_t i = 0; i < count(told.servers, limits::servers); ++i) {
    const auto& h = told.servers[i];
    to.group(server_field, [&](field_writer& in) {
      in.text(name_part, cut(h.server, limits::name));
      in.number(breaker_part, static_cast<int>(h.breaker));
      in.number(down_for_part, h.down_for.count());
      in.text(reason_part, cut(h.reason, limits::text));
    });
  }
  for (std::size_t i = 0; i < count(told.refused, limits::refused); ++i) {
    const auto& r = told.refused[i];
    to.group(refusal_field, [&](field_writer& in) {
      in.text(identity_part, cut(r.identity, limits::identity));
      in.text(fingerprint_part, r.fingerprint);
      in.number(ago_part, r.ago.count());
      in.text(cause_part, cut(r.cause, limits::text));
    });
  }
  for (std::size_t i = 0; i < count(told.requests, limits::servers); ++i) {
    const auto& r = told.requests[i];
    to.group(request_field, [&](field_writer& in) {
      in.text(request_server, cut(r.server, limits::name));
      in.count(request_incarnation, r.request.incarnation);
      in.count(request_number, r.request.number);
      in.number(request_held, r.request.held);
      in.number(request_wanted, r.request.wanted);
    });
  }
  for (std::size_t i = 0; i < count(told.grants, limits::servers); ++i) {
    const auto& g = told.grants[i];
    to.group(grant_field, [&](field_writer& in) {
      in.text(grant_server, cut(g.server, limits::name));
      in.count(grant_borrower, g.borrower);
      in.count(grant_number, g.number);
      in.number(grant_may_use, g.may_use);
    });
  }
  for (std::size_t i = 0; i < count(told.recalled, limits::servers); ++i)
    to.bytes(recalled_field, cut(told.recalled[i], limits::name));
  if (told.standing != secrets_standing::decided) to.number(standing_field, static_cast<int>(told.standing));
  return out;
}

decoded<exchange> decode_exchange(std::string_view bytes) {
  if (bytes.size() > limits::bytes) return {{}, malformed()};
  exchange told;
  field_reader in{bytes};
  while (in.next()) {
    switch (in.number()) {
      case incarnation_field:
        told.incarnation = in.count();
        break;
      case budget_field:
        told.budget = in.count32();
        break;
      case node_field:
        if (auto* name = one_more(in, told.nodes, limits::nodes)) *name = name_of(in, limits::name);
        break;
      case server_field:
        read_one(in, told.servers, limits::servers);
        break;
      case refusal_field:
        read_one(in, told.refused, limits::refused);
        break;
      case request_field:
        read_one(in, told.requests, limits::servers);
        break;
      case grant_field:
        read_one(in, told.grants, limits::servers);
        break;
      case recalled_field:
        if (auto* name = one_more(in, told.recalled, limits::servers)) *name = name_of(in, limits::name);
        break;
      case standing_field:
        told.standing = in.one_up_to(secrets_standing::trying);
        break;
      default:
        break;
    }
  }
  if (!in.good() || told.incarnation == 0) return {{}, malformed()};
  return {std::move(told), nullptr};
}

}  // namespace understudy::internal
