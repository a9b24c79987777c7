// Plays a dialogue by hand: what it wants sent, and what the test answers.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/login.hpp"

#include <boost/test/unit_test.hpp>
#include <optional>
#include <ostream>

namespace understudy {
inline std::ostream& operator<<(std::ostream& out, login_outcome x) { return out << to_string(x); }
}  // namespace understudy

namespace understudy::test {

inline constexpr const char* jane = "uid=jane,ou=people,dc=example,dc=com";

template <class Result>
class played_dialogue {
 public:
  explicit played_dialogue(internal::dialogue<Result>& talk) : talk_(talk) { take(talk_.begin()); }

  bool over() const { return last_.has_value(); }
  /// The last word; there must be one.
  const Result& last() const {
    BOOST_TEST_REQUIRE(over(), "it waits for an answer");
    return *last_;
  }
  /// The request that is to be sent; there must be one of that kind.
  template <class Operation>
  const Operation& asked() const {
    BOOST_TEST_REQUIRE(sent_ != nullptr, "nothing is to be sent");
    const auto* order = std::get_if<Operation>(&sent_->op);
    BOOST_TEST_REQUIRE(order != nullptr, "another operation is to be sent");
    return *order;
  }
  const request& sent() const { return *sent_; }

  void answer(result with = {}) { take(talk_.answered({std::make_shared<result>(std::move(with)), nullptr})); }
  /// A search that finds entries of these names.
  void find(std::vector<std::string> dns) {
    result found;
    for (auto& dn : dns) found.entries.push_back({std::move(dn), {}});
    answer(std::move(found));
  }
  void fail(failure why) { take(talk_.answered({nullptr, make_failure(std::move(why))})); }
  void fail(errc code) {
    failure why;
    why.code = code;
    why.message = "It failed.";
    fail(std::move(why));
  }
  /// A directory's refusal of a bind.
  void refuse(int code, std::string diagnostic = {}, std::vector<control> controls = {},
              errc as = errc::authentication_failed) {
    failure why;
    why.code = as;
    why.ldap_code = code;
    why.diagnostic = std::move(diagnostic);
    why.controls = std::move(controls);
    fail(std::move(why));
  }

 private:
  void take(typename internal::dialogue<Result>::step step) {
    sent_ = nullptr;
    if (auto* order = std::get_if<request_ptr>(&step))
      sent_ = std::move(*order);
    else
      last_ = std::get<Result>(std::move(step));
  }

  internal::dialogue<Result>& talk_;
  request_ptr sent_;
  std::optional<Result> last_;
};

/// Settings that are shared.
inline std::shared_ptr<const authenticator_settings> settings_with(authenticator_settings all) {
  return std::make_shared<const authenticator_settings>(std::move(all));
}

}  // namespace understudy::test
