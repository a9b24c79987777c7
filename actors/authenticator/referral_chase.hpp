// Follows the referrals in the answer to one search after the other: what is asked next, and what all of it comes to.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"

#include <deque>
#include <functional>
#include <map>
#include <set>

namespace understudy::internal {

/// Whom a referral may name: the server's name as requests are to have it, or nothing for one that nobody named.
using known_server = std::function<std::optional<std::string>(const std::string& server)>;

/// How far referrals are followed.
struct chase_limits {
  int hops = 0;          ///< from one server to the next
  int most = 0;          ///< of one call
  known_server known{};  ///< asked for each URI; must not wait
};

/// Of one call. A search's entries and those that its referrals lead to are one answer, each entry once. The URIs of
/// one referral are the same thing at several places: they are tried in turn. A server that is known and does not
/// answer, or refuses, makes the whole answer a failure: a part must not look like all. What is not followed (nobody
/// knows the server, too far, too many) stays in the answer as a reference, to be counted and told. What was asked
/// already is not asked again, so circles end. Referrals of what is no search are left alone: no password goes where
/// they say.
class referral_chase {
 public:
  explicit referral_chase(chase_limits limits) : limits_(std::move(limits)) {}

  /// That is sent now.
  void begin(request_ptr order);
  /// What is to be sent after that reply to the last request; null: it is over, and whole() is the answer to what was
  /// given to begin().
  request_ptr answered(const reply_to_request& reply);
  const reply_to_request& whole() const noexcept { return whole_; }

 private:
  /// One referral.
  struct lead {
    std::vector<std::string> uris;
    request_ptr from;           ///< the search that was referred
    int hop = 1;                ///< of what comes of it
    std::size_t next = 0;       ///< the URI to try
    bool asked_before = false;  ///< what it leads to is in the answer
    failure_ptr why{};          ///< the last server that it named did not answer
  };

  request_ptr take_first(const reply_to_request& reply);
  void take_answer(result& part);
  void take_failure(const failure_ptr& why);
  request_ptr next();
  /// The search at the next place of that lead; null: there is none.
  request_ptr ask(lead& of);
  void settle(lead& unanswered);
  void take_leads(result& from, const request_ptr& by, int hop);
  void merge(result& part);
  std::size_t room() const;
  void end_at_size_limit();
  void fail(const failure_ptr& why);
  void end_without_answer();

  chase_limits limits_;
  int followed_ = 0;
  request_ptr order_;  ///< what was asked
  request_ptr sent_;   ///< what is asked for it now
  reply_to_request whole_;
  failure_ptr led_away_;   ///< set: the first answer was nothing but a referral
  bool answered_ = false;  ///< a server that was referred to has answered
  std::string asks_;       ///< the server that is asked for the first lead
  std::deque<lead> leads_;
  std::map<std::string, bool> asked_;  ///< what was searched for and where; true: that was answered, not referred on
  std::string asks_for_;               ///< of them, what is searched for now
  bool circle_ = false;                ///< a referral led to what only refers to others
  std::set<std::string> found_;        ///< comparable DNs
};

}  // namespace understudy::internal
