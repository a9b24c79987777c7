// LDAP messages as a server sees them (RFC 4511): requests decoded, answers encoded.
#pragma once
#include "understudy/messages/result.hpp"

namespace understudy::test {

/// The operations, with the extended ones that matter on their own.
enum class operation : std::uint8_t {
  bind,
  unbind,
  search,
  modify,
  add,
  remove,
  modify_dn,
  compare,
  abandon,
  extended,
  start_tls,
  whoami,
  password_modify
};
inline constexpr std::size_t operation_count = static_cast<std::size_t>(operation::password_modify) + 1;

inline constexpr const char* start_tls_oid = "1.3.6.1.4.1.1466.20037";
inline constexpr const char* whoami_oid = "1.3.6.1.4.1.4203.1.11.3";
inline constexpr const char* password_modify_oid = "1.3.6.1.4.1.4203.1.11.1";
inline constexpr const char* notice_of_disconnection_oid = "1.3.6.1.4.1.1466.20036";

/// One request as it reached the directory. Only the fields of its operation are set.
struct directory_request {
  std::uint64_t connection = 0;  ///< which connection, counted from 1
  std::int32_t id = 0;           ///< message id
  operation kind = operation::unbind;
  bool encrypted = false;  ///< came through TLS
  std::string identity;    ///< whom the connection was bound as when it came

  std::string dn;                  ///< bind name, search base, or the entry
  std::string password;            ///< of a simple bind
  std::string mechanism;           ///< of a SASL bind; empty: simple
  std::string filter;              ///< as RFC 4515 writes it
  std::vector<std::string> names;  ///< attributes asked for
  search_scope scope = search_scope::base;
  dereference deref = dereference::never;
  std::int64_t size_limit = 0, time_limit = 0;
  bool types_only = false;
  std::string compared_attribute, compared_value;
  std::vector<modification> changes;
  std::vector<attribute> attributes;  ///< of an add
  std::string new_rdn;
  bool delete_old_rdn = false;
  std::optional<std::string> new_superior;
  std::string oid;                   ///< of an extended request
  std::optional<std::string> value;  ///< of an extended request
  std::int32_t abandoned = 0;        ///< the message id that an abandon is about
  std::vector<control> controls;
};

/// Decodes one LDAPMessage; throws std::runtime_error when it is none.
directory_request decode_request(std::string_view message);

/// What a directory answers; everything of LDAPResult (RFC 4511, 4.1.9), and what search and extended answers add.
struct directory_answer {
  int code = 0;
  std::string matched_dn = {}, diagnostic = {};
  std::vector<std::string> referrals = {};
  std::vector<control> controls = {};
  std::vector<entry> entries = {};
  std::vector<std::vector<std::string>> references = {};
  std::string oid = {};
  std::optional<std::string> value = {};
};

/// The parts of an answer as separate messages: entries, references, and the result at the end.
std::vector<std::string> encode_answer(operation to, std::int32_t id, const directory_answer& answer);
/// The unsolicited notice (RFC 4511, 4.4.1).
std::string encode_notice_of_disconnection(int code, const std::string& diagnostic);

}  // namespace understudy::test
