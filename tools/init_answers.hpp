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
  std::string bind_dn;       ///< -D; empty: anonymous, or as EXTERNAL says
  std::string base;          ///< -b; empty: not known
  /// --cert and --key: what the servers are shown; without a bind_dn whom it is for is who binds, too.
  std::string client_cert_path{}, client_key_path{};
  bool external = false;  ///< -Y EXTERNAL: at a Unix socket, the process's user binds
};

/// Which of them a flag has said: those are not asked for.
struct init_given {
  bool uris = false, start_tls = false, ca_cert_path = false, bind_dn = false;
  bool client_cert = false;  ///< and its key
  bool external = false;
};

/// What is asked of a person, one question at a time, in an order that depends on the answers.
class init_questions {
 public:
  enum class item { uris, start_tls, ca_cert_path, client_cert_path, client_key_path, external, bind_dn };
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
  /// What is wrong with the answer, or empty.
  static std::string answer_file(const std::string& text, std::string& path);
  std::string answer_start_tls(const std::string& text);
  /// Of earlier answers, what the new URIs have no use for.
  void forget_what_does_not_fit();

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
