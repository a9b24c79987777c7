// The libldap handle over our transport, its options, and requests as libldap calls.
#include "understudy/actors/connection/session.hpp"

#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/messages/password_policy.hpp"

#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <string.h>
#include <cerrno>
#include <mutex>

namespace understudy {

/// libldap's view of the transport: reads take what was granted, writes always succeed.
struct sockbuf_callbacks {
  static session& of(Sockbuf_IO_Desc* d) noexcept { return *static_cast<session*>(d->sbiod_pvt); }

  static int setup(Sockbuf_IO_Desc* d, void* owner) {
    d->sbiod_pvt = owner;
    return 0;
  }
  static int remove(Sockbuf_IO_Desc*) { return 0; }
  static int close(Sockbuf_IO_Desc*) { return 0; }

  static int control(Sockbuf_IO_Desc* d, int option, void* argument) {
    switch (option) {
      case LBER_SB_OPT_GET_FD:
        if (argument != nullptr) *static_cast<ber_socket_t*>(argument) = of(d).transport_.fd();
        return 1;
      case LBER_SB_OPT_SET_NONBLOCK:
      case LBER_SB_OPT_DATA_READY:  // keeps libldap from polling the socket itself
        return 1;
      default:
        return 0;
    }
  }

  static ber_slen_t read(Sockbuf_IO_Desc* d, void* to, ber_len_t room) {
    const auto n = of(d).transport_.take(static_cast<char*>(to), room);
    if (n != 0) return static_cast<ber_slen_t>(n);
    errno = EWOULDBLOCK;
    return -1;
  }

  static ber_slen_t write(Sockbuf_IO_Desc* d, void* from, ber_len_t size) {
    auto& owner = of(d);
    if (owner.wipes_) {
      if (!owner.mute_) owner.transport_.append_secret(static_cast<const char*>(from), size);
      // `from` is libldap's own encoding of the request, which it frees as it is and never reads again.
      ::explicit_bzero(from, size);
    } else if (!owner.mute_) {
      owner.transport_.append(static_cast<const char*>(from), size);
    }
    return static_cast<ber_slen_t>(size);
  }
};

namespace {

failure_ptr session_failure(errc code, std::string message) {
  return make_failure(code, stage::operation, std::move(message));
}

int set_int(LDAP* handle, int option, int value) { return ::ldap_set_option(handle, option, &value); }

/// Everything that ldap.conf, .ldaprc or an LDAP* variable could have set for new handles.
int set_options(LDAP* handle) {
  timeval unlimited{-1, 0};
  int code = set_int(handle, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3);
  code |= set_int(handle, LDAP_OPT_DEREF, LDAP_DEREF_NEVER);
  code |= set_int(handle, LDAP_OPT_SIZELIMIT, LDAP_NO_LIMIT);
  code |= set_int(handle, LDAP_OPT_TIMELIMIT, LDAP_NO_LIMIT);
  code |= ::ldap_set_option(handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  code |= ::ldap_set_option(handle, LDAP_OPT_RESTART, LDAP_OPT_OFF);
  code |= ::ldap_set_option(handle, LDAP_OPT_DEFBASE, "");
  code |= ::ldap_set_option(handle, LDAP_OPT_TIMEOUT, &unlimited);
  code |= ::ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &unlimited);
  code |= ::ldap_set_option(handle, LDAP_OPT_SERVER_CONTROLS, nullptr);
  code |= ::ldap_set_option(handle, LDAP_OPT_CLIENT_CONTROLS, nullptr);
  return code;
}

}  // namespace

void initialise_libldap() {
  static std::once_flag once;
  std::call_once(once, [] {
    int version = 0;
    ::ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  });
}

failure_ptr session::open() {
  initialise_libldap();
  static Sockbuf_IO callbacks{sockbuf_callbacks::setup, sockbuf_callbacks::remove, sockbuf_callbacks::control,
                              sockbuf_callbacks::read,  sockbuf_callbacks::write,  sockbuf_callbacks::close};
  int code = ::ldap_init_fd(transport_.fd(), LDAP_PROTO_EXT, nullptr, &handle_);
  if (code != LDAP_SUCCESS) {
    handle_ = nullptr;
    return session_failure(errc::internal, std::string{"libldap gave no handle: "} + ::ldap_err2string(code));
  }
  Sockbuf* buffer = nullptr;
  code = ::ldap_get_option(handle_, LDAP_OPT_SOCKBUF, &buffer);
  if (code == LDAP_OPT_SUCCESS) code = ::ber_sockbuf_add_io(buffer, &callbacks, LBER_SBIOD_LEVEL_PROVIDER, this);
  if (code == 0) code = set_options(handle_);
  dereference_ = LDAP_DEREF_NEVER;
  operations_ = own_ids_ = 0;
  if (code == 0) return nullptr;
  close(false);
  return session_failure(errc::internal, "libldap did not take its options");
}

void session::close(bool polite) noexcept {
  if (handle_ == nullptr) return;
  mute_ = !polite;
  ::ldap_unbind_ext(handle_, nullptr, nullptr);
  handle_ = nullptr;
  mute_ = false;
}

encoded_request session::sent(int code, int id, std::uint64_t begin) {
  encoded_request r;
  if (code != LDAP_SUCCESS) {
    r.error = session_failure(errc::invalid_request,
                              std::string{"The request cannot be encoded: "} + ::ldap_err2string(code) + ".");
    return r;
  }
  ++operations_;
  r.id = id;
  r.begin = begin;
  r.size = static_cast<std::size_t>(transport_.appended() - begin);
  return r;
}

encoded_request session::encode_bind(const std::string& dn, const secret& password) {
  const auto begin = transport_.appended();
  const auto bytes = password.reveal();
  berval credentials{bytes.size(), const_cast<char*>(bytes.empty() ? "" : bytes.data())};
  // Asks what there is to be told of the password; who does not know it ignores it.
  LDAPControl policy{const_cast<char*>(password_policy_oid.data()), {0, nullptr}, 0};
  LDAPControl* controls[] = {dn.empty() ? nullptr : &policy, nullptr};
  int id = 0;
  wipes_ = true;
  const int code = ::ldap_sasl_bind(handle_, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, controls, nullptr, &id);
  wipes_ = false;
  return sent(code, id, begin);
}

encoded_request session::encode_external_bind() {
  const auto begin = transport_.appended();
  // Empty, not absent: without credentials a server may answer that the exchange is still in progress.
  berval nobody_else{0, const_cast<char*>("")};
  int id = 0;
  const int code = ::ldap_sasl_bind(handle_, nullptr, "EXTERNAL", &nobody_else, nullptr, nullptr, &id);
  return sent(code, id, begin);
}

encoded_request session::encode_start_tls() {
  const auto begin = transport_.appended();
  int id = 0;
  const int code = ::ldap_extended_operation(handle_, start_tls_oid.data(), nullptr, nullptr, nullptr, &id);
  return sent(code, id, begin);
}

void session::abandon(int id, bool on_wire) {
  if (is_own(id)) {
    if (!on_wire) return;
    scratch_.clear();
    encode_abandon(next_own_id(), id, scratch_);
    return transport_.append(scratch_.data(), scratch_.size());
  }
  mute_ = !on_wire;
  ::ldap_abandon_ext(handle_, id, nullptr, nullptr);
  mute_ = false;
}

}  // namespace understudy
