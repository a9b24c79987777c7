// libldap as what encodes binds and extended operations, passwords among them. Nothing else is asked of it.
#pragma once
#include "understudy/actors/connection/transport.hpp"
#include "understudy/messages/request.hpp"

struct ldap;

namespace understudy::internal {

/// One libldap handle, which writes to memory only and is told of no answer of a server. Message ids are the caller's.
class libldap_codec {
 public:
  libldap_codec() = default;
  ~libldap_codec() { close(); }
  libldap_codec(const libldap_codec&) = delete;
  libldap_codec& operator=(const libldap_codec&) = delete;

  /// Makes the handle with every option set: ldap.conf and LDAP* variables change nothing. `fd` is neither read nor
  /// written, but libldap wants one.
  failure_ptr open(int fd);
  void close() noexcept;
  bool is_open() const noexcept { return handle_ != nullptr; }

  /// Appends `order`, a bind or an extended operation, to `out` with that message id; nothing when it fails.
  failure_ptr encode(const request& order, int id, transport& out);
  /// A simple bind; both empty: an anonymous one, which takes an earlier identity away (RFC 4513, 5.1.1).
  failure_ptr encode_bind(const std::string& dn, const secret& password, int id, transport& out);
  /// SASL EXTERNAL (RFC 4422, appendix A), as whoever the layer below says that we are.
  failure_ptr encode_external_bind(int id, transport& out);
  failure_ptr encode_start_tls(int id, transport& out);

 private:
  friend struct sockbuf_callbacks;
  template <class Call>
  failure_ptr encode(int id, std::uint8_t answer, bool secret, transport& out, Call make);
  void take(std::string_view message);
  bool forget(int own_id, std::uint8_t answer);

  ldap* handle_ = nullptr;
  int fd_ = -1;
  // Of the request that is being encoded.
  transport* out_ = nullptr;  // null: what libldap writes is dropped
  int id_ = 0;
  bool secret_ = false;  // it has a password in it: gone as soon as it is sent
  bool taken_ = false;
  std::string_view answer_left_;  // of the one that libldap is shown
};

}  // namespace understudy::internal
