// What clients say in these tests, and what a session says to them.
#pragma once
#include "support/ldap_wire.hpp"
#include "support/raw_client.hpp"
#include "understudy/actors/front_door/client_session.hpp"
#include "understudy/messages/ber.hpp"

namespace understudy::test {

/// A search of `base` with that scope for any entry; `controls`: [0], or empty.
inline std::string search_of(int id, const std::string& base, search_scope scope = search_scope::subtree,
                             const std::string& controls = {}) {
  const auto body = ber_octets(base) + ber_integer(static_cast<int>(scope), ber_tag::enumerated) +
                    ber_integer(0, ber_tag::enumerated) + ber_integer(0) + ber_integer(0) +
                    ber_element(ber_tag::boolean, std::string(1, '\0')) + ber_octets("objectClass", 0x87) +
                    ber_element(ber_tag::sequence, {});
  return ber_element(ber_tag::sequence, ber_integer(id) + ber_element(0x63, body) + controls);
}

inline std::string root_dse_of(int id) { return search_of(id, {}, search_scope::base); }

/// One control, as it stands behind an operation.
inline std::string control_of(const std::string& oid, bool critical, const std::optional<std::string>& value = {}) {
  auto one = ber_octets(oid);
  if (critical) one += ber_element(ber_tag::boolean, "\xff");
  if (value) one += ber_octets(*value);
  return ber_element(0xa0, ber_element(ber_tag::sequence, one));
}

/// An extended request with a value.
inline std::string extended_of(int id, const std::string& oid, const std::string& value) {
  return ber_element(ber_tag::sequence,
                     ber_integer(id) + ber_element(0x77, ber_octets(oid, 0x80) + ber_octets(value, 0x81)));
}

/// A bind by SASL; nothing: without credentials.
inline std::string sasl_bind_of(int id, const std::string& mechanism,
                                const std::optional<std::string>& credentials = {}) {
  auto sasl = ber_octets(mechanism);
  if (credentials) sasl += ber_octets(*credentials);
  return ber_element(ber_tag::sequence,
                     ber_integer(id) + ber_element(0x60, ber_integer(3) + ber_octets("") + ber_element(0xa3, sasl)));
}

/// The messages in `bytes`, one by one.
std::vector<raw_answer> answers_in(std::string_view bytes);

}  // namespace understudy::test
