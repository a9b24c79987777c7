// The libldap handle over our transport, its options, and requests as libldap calls.
#include "understudy/actors/connection/session.hpp"
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/password_policy.hpp"

#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <string.h>
#include <cerrno>
#include <mutex>

namespace understudy::internal {
namespace {

constexpr std::size_t kept_scratch = 4096;

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

/// Attributes as LDAPMod; sized beforehand, so that pointers into it stay good.
class modification_list {
 public:
  explicit modification_list(std::size_t n) {
    mods_.reserve(n);
    values_.resize(n);
    pointers_.resize(n);
    list_.reserve(n);
  }
  void add(int op, const attribute& a) {
    const auto i = mods_.size();
    for (const auto& v : a.values) values_[i].push_back(bytes_of(v));
    for (auto& v : values_[i]) pointers_[i].add(&v);
    LDAPMod mod{};
    mod.mod_op = op | LDAP_MOD_BVALUES;
    mod.mod_type = const_cast<char*>(a.name.c_str());
    mod.mod_bvalues = a.values.empty() ? nullptr : pointers_[i].get();
    mods_.push_back(mod);
    list_.add(&mods_.back());
  }
  LDAPMod** get() { return list_.get(); }

 private:
  std::vector<LDAPMod> mods_;
  std::vector<std::vector<berval>> values_;
  std::vector<pointer_list<berval>> pointers_;
  pointer_list<LDAPMod> list_;
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

// Nobody sends more than a line of text and a few referrals.
constexpr std::size_t largest_notification = 1024 * 1024;

struct answer_tag {
  std::uint8_t operator()(const search_request&) const noexcept { return pdu_op::search_done; }
  std::uint8_t operator()(const compare_request&) const noexcept { return pdu_op::compare_response; }
  std::uint8_t operator()(const add_request&) const noexcept { return pdu_op::add_response; }
  std::uint8_t operator()(const modify_request&) const noexcept { return pdu_op::modify_response; }
  std::uint8_t operator()(const delete_request&) const noexcept { return pdu_op::delete_response; }
  std::uint8_t operator()(const modify_dn_request&) const noexcept { return pdu_op::modify_dn_response; }
  std::uint8_t operator()(const bind_request&) const noexcept { return pdu_op::bind_response; }
  std::uint8_t operator()(const extended_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const whoami_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const password_modify_request&) const noexcept { return pdu_op::extended_response; }
};

/// The new password in the response value of a password modify (RFC 3062), when the server made one.
std::optional<std::string> generated_password(std::string_view value) {
  constexpr std::uint8_t gen_passwd = 0x80;
  const auto sequence = ber_cursor{value}.element(ber_tag::sequence);
  if (!sequence) return std::nullopt;
  const auto password = ber_cursor{*sequence}.element(gen_passwd);
  return password ? std::optional<std::string>{*password} : std::nullopt;
}

bool decode_answer(std::string_view pdu, std::uint8_t op, result& into, memory_allowance& room) {
  switch (op) {
    case pdu_op::search_entry:
      return decode_search_entry(pdu, into, room);
    case pdu_op::search_reference:
      return decode_search_reference(pdu, into, room);
    case pdu_op::intermediate_response:
      return check_intermediate(pdu, room);
    case pdu_op::extended_response:
      return decode_extended(pdu, into, room);
    default:
      return decode_result(pdu, op, into, room);
  }
}

}  // namespace

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

// ---- requests: each kind as a libldap call ----

/// Returns libldap's code.
struct request_encoder {
  session& to;
  LDAPControl** controls;
  int& id;

  int operator()(const search_request& r) const {
    if (const int wanted = static_cast<int>(r.deref); to.dereference_ != wanted) {
      if (const int code = ::ldap_set_option(to.handle_, LDAP_OPT_DEREF, &wanted); code != 0) return code;
      to.dereference_ = wanted;
    }
    pointer_list<char> names;
    names.reserve(r.attributes.size());
    for (const auto& name : r.attributes) names.add(const_cast<char*>(name.c_str()));
    timeval limit{r.time_limit, 0};
    return ::ldap_search_ext(to.handle_, r.base.c_str(), static_cast<int>(r.scope), r.filter.c_str(),
                             r.attributes.empty() ? nullptr : names.get(), r.types_only ? 1 : 0, controls, nullptr,
                             r.time_limit > 0 ? &limit : nullptr, r.size_limit, &id);
  }
  int operator()(const compare_request& r) const {
    berval value = bytes_of(r.value);
    return ::ldap_compare_ext(to.handle_, r.dn.c_str(), r.attribute.c_str(), &value, controls, nullptr, &id);
  }
  int operator()(const add_request& r) const {
    modification_list mods{r.attributes.size()};
    for (const auto& a : r.attributes) mods.add(LDAP_MOD_ADD, a);
    return ::ldap_add_ext(to.handle_, r.dn.c_str(), mods.get(), controls, nullptr, &id);
  }
  int operator()(const modify_request& r) const {
    modification_list mods{r.changes.size()};
    for (const auto& c : r.changes) mods.add(static_cast<int>(c.op), c.target);
    return ::ldap_modify_ext(to.handle_, r.dn.c_str(), mods.get(), controls, nullptr, &id);
  }
  int operator()(const delete_request& r) const {
    return ::ldap_delete_ext(to.handle_, r.dn.c_str(), controls, nullptr, &id);
  }
  int operator()(const modify_dn_request& r) const {
    return ::ldap_rename(to.handle_, r.dn.c_str(), r.new_rdn.c_str(),
                         r.new_superior ? r.new_superior->c_str() : nullptr, r.delete_old_rdn ? 1 : 0, controls,
                         nullptr, &id);
  }
  int operator()(const bind_request& r) const {
    berval password = bytes_of(r.password.reveal());
    return ::ldap_sasl_bind(to.handle_, r.dn.c_str(), LDAP_SASL_SIMPLE, &password, controls, nullptr, &id);
  }
  int operator()(const extended_request& r) const {
    berval value = bytes_of(r.value ? std::string_view{*r.value} : std::string_view{});
    return ::ldap_extended_operation(to.handle_, r.oid.c_str(), r.value ? &value : nullptr, controls, nullptr, &id);
  }
  int operator()(const whoami_request&) const { return ::ldap_whoami(to.handle_, controls, nullptr, &id); }
  int operator()(const password_modify_request& r) const {
    const secret encoded = password_modify_value(r);
    berval value = bytes_of(encoded.reveal());
    return ::ldap_extended_operation(to.handle_, LDAP_EXOP_MODIFY_PASSWD, &value, controls, nullptr, &id);
  }
};

encoded_request session::encode(const request& what) {
  const auto begin = transport_.appended();
  int id = 0;
  if (const auto* search = std::get_if<search_request>(&what.op); search != nullptr && what.controls.empty()) {
    id = next_own_id();
    scratch_.clear();
    if (encode_search(id, *search, scratch_)) {
      transport_.append(scratch_.data(), scratch_.size());
      if (scratch_.capacity() > kept_scratch) std::string{}.swap(scratch_);
      return sent(LDAP_SUCCESS, id, begin);
    }
  }
  control_list controls{what.controls};
  wipes_ = std::holds_alternative<bind_request>(what.op) || std::holds_alternative<password_modify_request>(what.op);
  const int code = std::visit(request_encoder{*this, controls.get(), id}, what.op);
  wipes_ = false;
  return sent(code, id, begin);
}

// ---- answers: PDUs into plain values ----

bool is_part(std::uint8_t tag) noexcept {
  return tag == pdu_op::search_entry || tag == pdu_op::search_reference || tag == pdu_op::intermediate_response;
}

bool is_answer(std::uint8_t tag) noexcept {
  switch (tag) {
    case pdu_op::bind_response:
    case pdu_op::search_done:
    case pdu_op::modify_response:
    case pdu_op::add_response:
    case pdu_op::delete_response:
    case pdu_op::modify_dn_response:
    case pdu_op::compare_response:
    case pdu_op::extended_response:
      return true;
    default:
      return is_part(tag);
  }
}

bool answers(std::uint8_t tag, const any_operation& op) noexcept {
  if (tag == std::visit(answer_tag{}, op) || tag == pdu_op::intermediate_response) return true;
  return std::holds_alternative<search_request>(op) && (tag == pdu_op::search_entry || tag == pdu_op::search_reference);
}

/// Gives libldap exactly this PDU: it keeps a table of its requests until it has seen their results. False when it
/// made no sense of it.
bool session::settle_with_libldap(const pdu_frame& frame) {
  transport_.grant(frame.size);
  timeval no_wait{0, 0};
  LDAPMessage* message = nullptr;
  const int kind = ::ldap_result(handle_, LDAP_RES_ANY, LDAP_MSG_ONE, &no_wait, &message);
  const bool settled = kind > 0 && transport_.granted() == 0 && ::ldap_msgid(message) == frame.id;
  ::ldap_msgfree(message);
  return settled;
}

decoded_pdu session::decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room) {
  if (!answers(frame.op, op)) return decoded_pdu::malformed;
  const bool good = decode_answer(transport_.front(frame.size), frame.op, into, room);
  if (!good && !room.exceeded()) return decoded_pdu::malformed;
  if (is_part(frame.op) || is_own(frame.id)) {
    transport_.skip(frame.size);
  } else if (!settle_with_libldap(frame)) {
    return decoded_pdu::malformed;
  }
  if (!good) return decoded_pdu::too_large;
  if (std::holds_alternative<password_modify_request>(op) && into.response_value)
    into.response_value = into.code == result_code::success ? generated_password(*into.response_value) : std::nullopt;
  return is_part(frame.op) ? decoded_pdu::part : decoded_pdu::complete;
}

bool session::decode_notification(const pdu_frame& frame, result& into) {
  if (frame.op != pdu_op::extended_response) return false;
  memory_allowance room{largest_notification};
  const bool good = decode_extended(transport_.front(frame.size), into, room);
  transport_.skip(frame.size);
  return good && !into.response_oid.empty();
}

}  // namespace understudy::internal
