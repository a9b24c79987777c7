// Blocking libldap, as it is found in services.
#include "login_patterns.hpp"

#include <ldap.h>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace understudy::benchmark {
namespace {

struct ldap_unbind {
  void operator()(LDAP* handle) const { ldap_unbind_ext(handle, nullptr, nullptr); }
};
using ldap_ptr = std::unique_ptr<LDAP, ldap_unbind>;

class steps {
 public:
  explicit steps(const arguments& given) {
    const double seconds = given.real("timeout", 5);
    limit_.tv_sec = static_cast<time_t>(seconds);
    limit_.tv_usec = static_cast<suseconds_t>((seconds - static_cast<double>(limit_.tv_sec)) * 1e6);
    std::istringstream ports(given.text("port"));
    for (std::string port; std::getline(ports, port, ',');)
      urls_ += (urls_.empty() ? "ldap://127.0.0.1:" : " ldap://127.0.0.1:") + port;
  }

  /// libldap connects with the first request, to the first server of the list that takes the connection.
  ldap_ptr open() const {
    LDAP* raw = nullptr;
    if (ldap_initialize(&raw, urls_.c_str()) != LDAP_SUCCESS) throw std::runtime_error("ldap_initialize: " + urls_);
    const int version = LDAP_VERSION3;
    ldap_set_option(raw, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(raw, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(raw, LDAP_OPT_NETWORK_TIMEOUT, &limit_);
    ldap_set_option(raw, LDAP_OPT_TIMEOUT, &limit_);
    return ldap_ptr{raw};
  }

  /// All of a login on one connection; a libldap code.
  static int log_in(LDAP* handle, int user) {
    if (const int code = bind(handle, service_dn, service_password); code != LDAP_SUCCESS) return code;
    const auto number = std::to_string(user);
    char attribute[] = "1.1";
    char* attributes[] = {attribute, nullptr};
    LDAPMessage* found = nullptr;
    const int code = ldap_search_ext_s(handle, base_dn, LDAP_SCOPE_SUBTREE, ("(uid=user" + number + ")").c_str(),
                                       attributes, 0, nullptr, nullptr, nullptr, 2, &found);
    const std::unique_ptr<LDAPMessage, decltype(&ldap_msgfree)> answer{found, &ldap_msgfree};
    if (code != LDAP_SUCCESS) return code;
    if (ldap_count_entries(handle, found) != 1) return LDAP_NO_SUCH_OBJECT;
    const std::unique_ptr<char, decltype(&ldap_memfree)> dn{ldap_get_dn(handle, ldap_first_entry(handle, found)),
                                                            &ldap_memfree};
    return bind(handle, dn.get(), "password" + number);
  }

 private:
  static int bind(LDAP* handle, const char* dn, const std::string& password) {
    berval credentials{password.size(), const_cast<char*>(password.data())};
    return ldap_sasl_bind_s(handle, dn, LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr);
  }

  std::string urls_;
  timeval limit_{};
};

class one_under_a_mutex final : public login_pattern {
 public:
  explicit one_under_a_mutex(const arguments& given) : steps_(given) {}
  bool log_in(int user, clock::time_point until) override {
    const std::lock_guard lock{guard_};
    if (clock::now() > until) return false;
    if (!handle_) handle_ = steps_.open();
    if (steps::log_in(handle_.get(), user) == LDAP_SUCCESS) return true;
    handle_.reset();
    return false;
  }

 private:
  const steps steps_;
  std::mutex guard_;
  ldap_ptr handle_;
};

class one_for_each_login final : public login_pattern {
 public:
  explicit one_for_each_login(const arguments& given) : steps_(given) {}
  bool log_in(int user, clock::time_point) override { return steps::log_in(steps_.open().get(), user) == LDAP_SUCCESS; }

 private:
  const steps steps_;
};

class pool_that_binds_again final : public login_pattern {
 public:
  explicit pool_that_binds_again(const arguments& given)
      : steps_(given), free_(static_cast<std::size_t>(given.number("connections", 8))) {}
  bool log_in(int user, clock::time_point until) override {
    auto mine = borrow();
    bool ok = false;
    if (clock::now() > until) {
      give_back(std::move(mine));
      return false;
    }
    try {
      if (!mine) mine = steps_.open();
      ok = steps::log_in(mine.get(), user) == LDAP_SUCCESS;
    } catch (...) {
      give_back(nullptr);
      throw;
    }
    // A connection that failed is not lent again.
    give_back(ok ? std::move(mine) : nullptr);
    return ok;
  }

 private:
  ldap_ptr borrow() {
    std::unique_lock lock{guard_};
    returned_.wait(lock, [this] { return !free_.empty(); });
    auto taken = std::move(free_.back());
    free_.pop_back();
    return taken;
  }
  void give_back(ldap_ptr handle) {
    {
      const std::lock_guard lock{guard_};
      free_.push_back(std::move(handle));
    }
    returned_.notify_one();
  }

  const steps steps_;
  std::mutex guard_;
  std::condition_variable returned_;
  std::vector<ldap_ptr> free_;  ///< a null one has its connection to be made
};

}  // namespace

std::unique_ptr<login_pattern> make_login_pattern(const arguments& given) {
  const auto pattern = given.text("pattern");
  if (pattern == "mutex") return std::make_unique<one_under_a_mutex>(given);
  if (pattern == "connect") return std::make_unique<one_for_each_login>(given);
  if (pattern == "pool") return std::make_unique<pool_that_binds_again>(given);
  throw std::invalid_argument("pattern=mutex, connect or pool, not \"" + pattern + "\"");
}

}  // namespace understudy::benchmark
