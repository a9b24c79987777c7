// What a stub directory does with a request: what it answers, how the answer is delivered, and when that holds.
#pragma once
#include "support/ldap_wire.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <mutex>

namespace understudy::test {

/// What happens to the connection after an answer.
enum class ending : std::uint8_t {
  none,
  close,  ///< FIN, once everything is sent
  reset,  ///< RST
};

/// How an answer reaches the client. The default: all of it, at once.
struct delivery {
  bool silent = false;                      ///< nothing is sent
  std::chrono::milliseconds delay{0};       ///< sent that much later; other requests are not held up
  std::size_t slice = 0;                    ///< bytes sent at a time; 0: as much as fits
  bool half = false;                        ///< the first half of its bytes; then that connection sends no more
  bool hold = false;                        ///< kept, and sent in one piece with the next answer of the connection
  bool after_abandon = false;               ///< sent when the request was abandoned, as a late server would
  std::optional<std::size_t> entries = {};  ///< that many entries of a search are sent, and no result
  std::optional<std::int32_t> id = {};      ///< message id in place of the request's
  std::optional<std::string> raw = {};      ///< these bytes in place of the answer
  ending then = ending::none;
};

/// An answer and its delivery: reply{{.code = 51}, {.delay = 5ms}}.
struct reply {
  directory_answer what = {};
  delivery how = {};
};

using responder = std::function<reply(const directory_request&)>;
using request_predicate = std::function<bool(const directory_request&)>;

/// The rules in force; the newest that fits decides. Thread-safe.
class stub_script {
 public:
  using rule_id = std::uint64_t;
  static constexpr int forever = -1;

  /// Adds a rule that holds for the next `times` requests that it fits.
  rule_id add(request_predicate fits, responder answer, int times);
  void remove(rule_id id);
  void clear();
  /// The responder for a request; an empty one when no rule fits.
  responder choose(const directory_request& request);

 private:
  struct rule {
    rule_id id = 0;
    request_predicate fits;
    responder answer;
    int left = forever;
  };
  std::mutex guard_;
  rule_id last_id_ = 0;
  std::list<rule> rules_;  ///< newest first
};

}  // namespace understudy::test
