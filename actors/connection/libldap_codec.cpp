// Requests as libldap calls, whose bytes are taken from it with another message id.
#include "understudy/actors/connection/libldap_codec.hpp"

#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/ldap_protocol.hpp"
#include "understudy/messages/password_policy.hpp"

#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <string.h>
#include <cerrno>
#include <mutex>

namespace understudy::internal {
namespace {

berval bytes_of(std::string_view text) { return {text.size(), const_cast<char*>(text.empty() ? "" : text.data())}; }

/// A null-terminated array of pointers to what lives elsewhere, as libldap wants them.
template <class T>
class pointer_list {
 public:
  void reserve(std::size_t n) { items_.reserve(n + 1); }
  void add(T* item) { items_.push_back(item); }
  T** get() {
    items_.push_back(nullptr);
    return items_.data();
  }

 private:
  std::vector<T*> items_;
};

class control_list {
 public:
  explicit control_list(const std::vector<control>& controls) {
    if (controls.empty()) return;
    for (const auto& c : controls) {
      LDAPControl made{};
      made.ldctl_oid = const_cast<char*>(c.oid.c_str());
      made.ldctl_iscritical = c.critical ? 1 : 0;
      if (c.value) made.ldctl_value = bytes_of(*c.value);
      made_.push_back(made);
    }
    for (auto& c : made_) pointers_.add(&c);
  }
  LDAPControl** get() { return made_.empty() ? nullptr : pointers_.get(); }

 private:
  std::vector<LDAPControl> made_;
  pointer_list<LDAPControl> pointers_;
};

/// PasswdModifyRequestValue (RFC 3062, 2). ldap_passwd() would leave its copy of the passwords in memory.
secret password_modify_value(const password_modify_request& r) {
  const secret old_password{r.old_password.empty() ? std::string{} : ber_octets(r.old_password.reveal(), 0x81)};
  const secret new_password{r.new_password.empty() ? std::string{} : ber_octets(r.new_password.reveal(), 0x82)};
  std::string parts = r.user_identity ? ber_octets(*r.user_identity, 0x80) : std::string{};
  parts.reserve(parts.size() + old_password.size() + new_password.size());
  parts.append(old_password.reveal()).append(new_password.reveal());
  const secret all{std::move(parts)};
  return secret{ber_element(ber_tag::sequence, all.reveal())};
}

failure_ptr codec_failure(errc code, std::string message) {
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

/// Lets libldap read its configuration, once, while no other thread calls it.
void initialise_libldap() {
  static std::once_flag once;
  std::call_once(once, [] {
    int version = 0;
    ::ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  });
}

/// Success, and nothing more, for that message.
std::string empty_result(int id, std::uint8_t tag) {
  static constexpr std::string_view success{"\x0a\x01\x00\x04\x00\x04\x00", 7};
  return ber_element(ber_tag::sequence, ber_integer(id) + ber_element(tag, success));
}

}  // namespace

/// libldap's view of the codec: what it writes is taken at once, what it reads is the answer to that.
struct sockbuf_callbacks {
  static libldap_codec& of(Sockbuf_IO_Desc* d) noexcept { return *static_cast<libldap_codec*>(d->sbiod_pvt); }

  static int setup(Sockbuf_IO_Desc* d, void* owner) {
    d->sbiod_pvt = owner;
    return 0;
  }
  static int remove(Sockbuf_IO_Desc*) { return 0; }
  static int close(Sockbuf_IO_Desc*) { return 0; }

  static int control(Sockbuf_IO_Desc* d, int option, void* argument) {
    switch (option) {
      case LBER_SB_OPT_GET_FD:
        if (argument != nullptr) *static_cast<ber_socket_t*>(argument) = of(d).fd_;
        return 1;
      case LBER_SB_OPT_SET_NONBLOCK:
      case LBER_SB_OPT_DATA_READY:  // keeps libldap from polling the socket itself
        return 1;
      default:
        return 0;
    }
  }

  static ber_slen_t read(Sockbuf_IO_Desc* d, void* to, ber_len_t room) {
    auto& left = of(d).answer_left_;
    const auto n = left.copy(static_cast<char*>(to), room);
    left.remove_prefix(n);
    if (n != 0) return static_cast<ber_slen_t>(n);
    errno = EWOULDBLOCK;
    return -1;
  }

  /// One whole message at a time: nothing keeps libldap from writing all of it.
  static ber_slen_t write(Sockbuf_IO_Desc* d, void* from, ber_len_t size) {
    auto& owner = of(d);
    if (owner.out_ != nullptr) owner.take({static_cast<const char*>(from), size});
    // `from` is libldap's own encoding of the request, which it frees as it is and never reads again.
    if (owner.secret_) ::explicit_bzero(from, size);
    return static_cast<ber_slen_t>(size);
  }
};

failure_ptr libldap_codec::open(int fd) {
  initialise_libldap();
  static Sockbuf_IO callbacks{sockbuf_callbacks::setup, sockbuf_callbacks::remove, sockbuf_callbacks::control,
                              sockbuf_callbacks::read,  sockbuf_callbacks::write,  sockbuf_callbacks::close};
  fd_ = fd;
  int code = ::ldap_init_fd(fd, LDAP_PROTO_EXT, nullptr, &handle_);
  if (code != LDAP_SUCCESS) {
    handle_ = nullptr;
    return codec_failure(errc::internal, std::string{"libldap gave no handle: "} + ::ldap_err2string(code));
  }
  Sockbuf* buffer = nullptr;
  code = ::ldap_get_option(handle_, LDAP_OPT_SOCKBUF, &buffer);
  if (code == LDAP_OPT_SUCCESS) code = ::ber_sockbuf_add_io(buffer, &callbacks, LBER_SBIOD_LEVEL_PROVIDER, this);
  if (code == 0) code = set_options(handle_);
  if (code == 0) return nullptr;
  close();
  return codec_failure(errc::internal, "libldap did not take its options");
}

void libldap_codec::close() noexcept {
  if (handle_ == nullptr) return;
  // The unbind that it writes is dropped.
  ::ldap_unbind_ext(handle_, nullptr, nullptr);
  handle_ = nullptr;
}

/// The message in hand, with the id that it is to have.
void libldap_codec::take(std::string_view message) {
  const auto rest = behind_message_id(message);
  taken_ = !rest.empty() && !taken_;
  if (!taken_) return;
  std::string head;
  append_message_head(id_, rest.size(), head);
  out_->append(head.data(), head.size());
  if (secret_)
    out_->append_secret(rest.data(), rest.size());
  else
    out_->append(rest.data(), rest.size());
}

template <class Call>
failure_ptr libldap_codec::encode(int id, std::uint8_t answer, bool secret, transport& out, Call make) {
  const auto begin = out.appended();
  id_ = id;
  secret_ = secret;
  taken_ = false;
  out_ = &out;
  int own_id = 0;
  const int code = make(own_id);
  out_ = nullptr;
  secret_ = false;
  if (code != LDAP_SUCCESS) {
    return codec_failure(errc::invalid_request,
                         std::string{"The request cannot be encoded: "} + ::ldap_err2string(code) + ".");
  }
  if (taken_ && forget(own_id, answer)) return nullptr;
  out.discard(begin, static_cast<std::size_t>(out.appended() - begin));
  return codec_failure(errc::internal, "The request cannot be encoded: libldap made no sense of it.");
}

/// libldap keeps a table of its requests until it has seen their results: it is shown one at once.
bool libldap_codec::forget(int own_id, std::uint8_t answer) {
  const auto shown = empty_result(own_id, answer);
  answer_left_ = shown;
  timeval no_wait{0, 0};
  LDAPMessage* message = nullptr;
  const int kind = ::ldap_result(handle_, LDAP_RES_ANY, LDAP_MSG_ONE, &no_wait, &message);
  const bool forgotten = kind > 0 && answer_left_.empty() && ::ldap_msgid(message) == own_id;
  ::ldap_msgfree(message);
  return forgotten;
}

namespace {

/// Returns libldap's code.
struct request_encoder {
  LDAP* handle;
  LDAPControl** controls;
  int& id;

  // Encoded by operation_codec and pdu_codec.
  template <class Other>
  int operator()(const Other&) const {
    return LDAP_NOT_SUPPORTED;
  }
  int operator()(const bind_request& r) const {
    berval password = bytes_of(r.password.reveal());
    return ::ldap_sasl_bind(handle, r.dn.c_str(), LDAP_SASL_SIMPLE, &password, controls, nullptr, &id);
  }
  int operator()(const extended_request& r) const {
    berval value = bytes_of(r.value ? std::string_view{*r.value} : std::string_view{});
    return ::ldap_extended_operation(handle, r.oid.c_str(), r.value ? &value : nullptr, controls, nullptr, &id);
  }
  int operator()(const whoami_request&) const { return ::ldap_whoami(handle, controls, nullptr, &id); }
  int operator()(const password_modify_request& r) const {
    const secret encoded = password_modify_value(r);
    berval value = bytes_of(encoded.reveal());
    return ::ldap_extended_operation(handle, LDAP_EXOP_MODIFY_PASSWD, &value, controls, nullptr, &id);
  }
};

}  // namespace

failure_ptr libldap_codec::encode(const request& order, int id, transport& out) {
  const bool secret = !std::holds_alternative<whoami_request>(order.op);
  return encode(id, answer_tag(order.op), secret, out, [&](int& own_id) {
    control_list controls{order.controls};
    return std::visit(request_encoder{handle_, controls.get(), own_id}, order.op);
  });
}

failure_ptr libldap_codec::encode_bind(const std::string& dn, const secret& password, int id, transport& out) {
  return encode(id, pdu_op::bind_response, true, out, [&](int& own_id) {
    berval credentials = bytes_of(password.reveal());
    // Asks what there is to be told of the password; who does not know it ignores it.
    LDAPControl policy{const_cast<char*>(password_policy_oid.data()), {0, nullptr}, 0};
    LDAPControl* controls[] = {dn.empty() ? nullptr : &policy, nullptr};
    return ::ldap_sasl_bind(handle_, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, controls, nullptr, &own_id);
  });
}

failure_ptr libldap_codec::encode_external_bind(int id, transport& out) {
  return encode(id, pdu_op::bind_response, false, out, [&](int& own_id) {
    // Empty, not absent: without credentials a server may answer that the exchange is still in progress.
    berval nobody_else{0, const_cast<char*>("")};
    return ::ldap_sasl_bind(handle_, nullptr, "EXTERNAL", &nobody_else, nullptr, nullptr, &own_id);
  });
}

failure_ptr libldap_codec::encode_start_tls(int id, transport& out) {
  return encode(id, pdu_op::extended_response, false, out, [&](int& own_id) {
    return ::ldap_extended_operation(handle_, extension::start_tls.data(), nullptr, nullptr, nullptr, &own_id);
  });
}

}  // namespace understudy::internal
