// Checks of each kind of request.
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/ldap_protocol.hpp"

namespace understudy::internal {
namespace {

bool has_nul(std::string_view text) noexcept { return text.find('\0') != std::string_view::npos; }

std::string nul_in(const char* where, std::string_view text) {
  return has_nul(text) ? std::string{where} + " contains a NUL byte" : std::string{};
}

bool is_one_element(std::string_view bytes) {
  if (bytes.empty()) return false;
  ber_cursor all{bytes};
  std::string_view content;
  return all.take(static_cast<std::uint8_t>(bytes[0]), content) && all.finished();
}

std::string check_name(std::string_view name) {
  return name.empty() ? "an attribute has no name" : nul_in("an attribute's name", name);
}

std::string first_of(std::string a, std::string b) { return a.empty() ? std::move(b) : std::move(a); }

struct checker {
  bool relays_binds = false;

  std::string operator()(const search_request& r) const {
    if (has_nul(r.base)) return nul_in("the search base", r.base);
    if (r.size_limit < 0 || r.time_limit < 0) return "a limit is negative";
    for (const auto& name : r.attributes)
      if (auto problem = check_name(name); !problem.empty()) return problem;
    return {};
  }
  std::string operator()(const compare_request& r) const {
    return first_of(nul_in("the DN", r.dn), check_name(r.attribute));
  }
  std::string operator()(const add_request& r) const {
    auto problem = nul_in("the DN", r.dn);
    for (const auto& a : r.attributes) {
      problem = first_of(std::move(problem), check_name(a.name));
      if (problem.empty() && a.values.empty()) problem = "attribute " + a.name + " of a new entry has no values";
    }
    return problem.empty() && r.attributes.empty() ? "a new entry needs attributes" : problem;
  }
  std::string operator()(const modify_request& r) const {
    auto problem = nul_in("the DN", r.dn);
    for (const auto& c : r.changes) problem = first_of(std::move(problem), check_name(c.target.name));
    return problem.empty() && r.changes.empty() ? "a modify needs changes" : problem;
  }
  std::string operator()(const delete_request& r) const { return nul_in("the DN", r.dn); }
  std::string operator()(const modify_dn_request& r) const {
    auto problem = first_of(nul_in("the DN", r.dn), nul_in("the new RDN", r.new_rdn));
    return r.new_superior ? first_of(std::move(problem), nul_in("the new superior", *r.new_superior)) : problem;
  }
  std::string operator()(const bind_request& r) const {
    if (r.password.size() == 0) return "a bind without a password would be anonymous (RFC 4513, 5.1.2); it is not sent";
    // RFC 4513, 5.1, knows no such bind; servers that accept it do so as anonymous, whatever the password is.
    if (r.dn.empty()) return "a bind with a password needs a DN (RFC 4513, 5.1.3)";
    return nul_in("the DN", r.dn);
  }
  std::string operator()(const extended_request& r) const {
    if (r.oid.empty()) return "an extended operation needs an OID";
    if (r.oid == extension::start_tls) return "TLS is set up by the connection; StartTLS cannot be requested";
    return nul_in("the OID", r.oid);
  }
  std::string operator()(const whoami_request&) const { return {}; }
  std::string operator()(const password_modify_request&) const { return {}; }
  std::string operator()(const opaque_request& r) const {
    if (!is_one_element(r.protocol_op)) return "its protocolOp is not one BER element";
    if (!r.controls.empty() && (r.controls[0] != '\xa0' || !is_one_element(r.controls)))
      return "its controls are not one BER element";
    if (answer_tag(r) == 0 || (r.tag() == request_tag::bind && !relays_binds))
      return "no such operation can be relayed";
    if (r.tag() != opaque_request::extended) return {};
    constexpr std::uint8_t request_name = 0x80;
    const auto oid = ber_cursor{*ber_cursor{r.protocol_op}.element(r.tag())}.element(request_name);
    if (!oid) return "an extended operation needs an OID";
    return *oid == extension::start_tls ? "TLS is set up by the connection; StartTLS cannot be requested" : "";
  }
};

}  // namespace

failure_ptr check_request(const request& order, bool relays_binds) {
  auto problem = std::visit(checker{relays_binds}, order.op);
  for (const auto& c : order.controls)
    if (problem.empty() && (c.oid.empty() || has_nul(c.oid))) problem = "a control has no valid OID";
  return problem.empty() ? nullptr : not_sent(order, problem);
}

failure_ptr check_request_and_filter(const request& order) {
  auto why = check_request(order);
  const auto* search = std::get_if<search_request>(&order.op);
  if (why || search == nullptr) return why;
  std::string unused;
  const auto problem = encode_search(1, *search, order.controls, unused);
  return problem.empty() ? nullptr : malformed_filter(order, problem);
}

failure_ptr malformed_filter(const request& order, const std::string& problem) {
  return not_sent(order, "malformed filter: " + problem);
}

failure_ptr not_sent(const request& order, const std::string& problem) {
  return make_failure(errc::invalid_request, stage::operation,
                      "The " + describe(order.op) + " was not sent: " + problem + ".");
}

failure lease_is_of_another_connection() {
  return *make_failure(errc::invalid_lease, stage::operation, "The lease is not (any more) for this connection.");
}

failure stream_is_open() {
  return *make_failure(errc::invalid_request, stage::operation,
                       "A streaming search is open on this lease; read it to its end or cancel it, or use another "
                       "connection.");
}

failure only_searches_stream() {
  return *make_failure(errc::invalid_request, stage::operation, "Only a search can be streamed.");
}

failure stream_without_consumer() {
  return *make_failure(errc::invalid_request, stage::operation,
                       "A streaming search without a sender has nobody to send entries to.");
}

failure consumer_ended() {
  return *make_failure(errc::cancelled, stage::operation, "The consumer of the streaming search ended.");
}

}  // namespace understudy::internal
