// What `understudy init` asks, and the configuration that the answers amount to: without any input or output.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace understudy::cli {

/// What a first configuration needs to know; by flags or by answers.
struct init_answers {
  std::string uris;          ///< as -H has them: one or several, in order of preference
  bool start_tls = false;    ///< -Z
  std::string ca_cert_path;  ///< --ca-cert; empty: the system's
  std::string bind_dn;       ///< -D; empty: anonymous
  std::string base;          ///< -b; empty: not known
};

/// Which of them a flag has said: those are not asked for.
struct init_given {
  bool uris = false, start_tls = false, ca_cert_path = false, bind_dn = false;
};

/// What is asked of a person, one question at a time, in an order that depends on the answers.
class init_questions {
 public:
  enum class item { uris, start_tls, ca_cert_path, bind_dn };
  struct question {
    item about;
    std::string text;  ///< with what an empty answer means in brackets
  };

  /// `begun`: what is known already, and what empty answers mean.
  init_questions(init_answers begun, const init_given& given);

  /// The next one; nothing: all is answered.
  std::optional<question> next() const;
  /// To the question that next() has; what is wrong with it, and then it is asked again. Empty: nothing.
  std::string answer(const std::string& line);
  const init_answers& answers() const noexcept { return answers_; }
  /// From the first question on, flags included; earlier answers are what empty ones mean.
  void begin_again();

 private:
  bool needed(item about) const;
  void go_on();

  init_answers answers_;
  init_given given_;
  std::size_t at_ = 0;
};

/// "y", "yes", "n", "no" in any case; an empty line means `otherwise`. Nothing: none of these.
std::optional<bool> yes_or_no(const std::string& line, bool otherwise);

/// The commented TOML file. `uris`: each server's, complete; `password_file`: where the password is, or empty. What a
/// reader will want next stands there as a comment.
std::string configuration_text(const init_answers& answers, const std::vector<std::string>& uris,
                               const std::string& password_file);

}  // namespace understudy::cli
