// Each kind of request as a libldap call; values go as they are, length and all.
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/session.hpp"
#include "understudy/messages/ber.hpp"

#include <lber.h>
#include <ldap.h>

namespace understudy {
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

}  // namespace

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

}  // namespace understudy
