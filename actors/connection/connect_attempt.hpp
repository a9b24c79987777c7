// Which addresses of a server are dialled when, which of them counts, and one failure made of all that happened.
#pragma once
#include "understudy/messages/event.hpp"
#include "understudy/messages/snapshot.hpp"

#include <functional>

namespace understudy::internal {

/// One attempt at connecting, by Happy Eyeballs (RFC 8305): the next address is dialled beside the earlier ones when
/// those have been silent for `stagger`, at once when they have failed; the first that is reached counts. An address
/// that was reached and then says nothing for `patience` is left for the others, while there are any; nobody is asked
/// twice. Also keeps the time that each step took. Time is the caller's.
class connect_attempt {
 public:
  /// RFC 8305, 5: Connection Attempt Delay.
  static constexpr duration stagger = milliseconds{250};
  /// Addresses that are dialled at the same time; with more, the one that was silent longest is given up.
  static constexpr std::size_t most_dialled = 4;

  /// `number` is the address's place in the order of dialling.
  struct order {
    std::size_t number = 0;
    const socket_address* to = nullptr;
    std::optional<std::size_t> in_place_of = {};  ///< given up to make room for it
  };

  connect_attempt(std::string server, time_point now, duration timeout, duration patience);

  /// Of the whole attempt.
  time_point deadline() const noexcept { return deadline_; }
  /// When something is due if nothing happens before: a dial, the end of patience, the end of it all.
  time_point due_at() const noexcept;

  /// In the order of dialling; the resolver lets the address families take turns (RFC 8305, 4).
  void set_addresses(std::vector<socket_address> addresses);
  /// The next address to dial, when it is time for one. `beside`: asked once whether that may be done beside others
  /// that are dialled; if not, the one that was silent longest is given up.
  std::optional<order> next(time_point now, const std::function<bool()>& beside = {});
  /// The dialled address `number` did not work.
  void dial_failed(std::size_t number, const failure& why);
  /// Dialled, and neither reached nor failed yet.
  std::vector<std::size_t> dialled() const;
  /// The dialled address `number` took the connection: it counts, the others are kept for the case that it fails.
  void reached(std::size_t number);
  bool has_reached_one() const noexcept { return chosen_.has_value(); }
  /// The address that counts did not work after all, or the look-up did not.
  void failed(const failure& why);
  /// The address that counts is dialled once more, before any other: what ended it there was our doing.
  void dial_again();
  /// True when no address is under way and none will be.
  bool exhausted(time_point now) const;
  /// The address that counts, for people; empty when none does.
  std::string address() const { return chosen_ ? candidates_[*chosen_].address.text : std::string{}; }

  /// Notes that a step begins; an earlier one is over. Patience begins anew. The look-up is a wait for something of
  /// ours, and yet a part of the attempt's time.
  void begin(stage step, time_point now);
  /// The step that runs is over.
  void finish(bool ok, time_point now);
  stage step() const noexcept { return step_; }
  const std::vector<probe_step>& steps() const noexcept { return steps_; }
  /// Those that are over, and the one that runs, as one that did not succeed; not while it is paused.
  std::vector<probe_step> steps_until(time_point now) const;
  /// The server owes an answer from now on.
  void ask(time_point now) noexcept;
  /// The server owes nothing: we wait for something of our own. That time is neither the attempt's nor the step's; it
  /// is bounded by as much again as the attempt may take.
  void pause(time_point now) noexcept;
  bool paused() const noexcept { return paused_at_.has_value(); }
  /// While it is paused the server is asked whether it lives, and owes that answer from now on.
  void check_liveness(time_point now) noexcept { asked_at_ = now; }
  /// That answer came; what is waited for is our own again.
  void liveness_answered() noexcept { asked_at_.reset(); }
  bool waits_for_liveness() const noexcept { return paused_at_ && asked_at_; }
  /// Since when the server owes something; max() while it does not.
  time_point awaited_since() const noexcept { return asked_at_.value_or(time_point::max()); }
  /// It waits, or waited noticeably, for something of ours: that it is not ready yet says nothing about its server.
  bool held_up() const noexcept { return !asked_at_ || was_held_up_; }
  /// Since the start, once finished; without pauses.
  duration took() const noexcept { return last_ - start_; }

  /// The failure to report: the last one seen, its message naming the server and what happened at each address.
  failure_ptr verdict() const;

 private:
  enum class progress : std::uint8_t { waiting, dialled, failed };
  struct candidate {
    socket_address address;
    progress state = progress::waiting;
  };

  bool any(progress state) const noexcept;
  void note(const std::string& address, const failure& why);

  /// What follows is a wait for something of ours.
  void wait_for_ours(time_point now) noexcept;

  std::string server_;
  time_point start_, deadline_, step_begin_, last_, next_dial_, ours_since_;
  duration timeout_, patience_;
  std::optional<time_point> asked_at_, paused_at_;
  std::vector<candidate> candidates_;
  std::optional<std::size_t> chosen_;
  failure last_failure_;
  std::string history_;
  std::size_t failures_ = 0;
  stage step_ = stage::resolve;
  bool in_step_ = false;
  bool was_held_up_ = false;
  std::vector<probe_step> steps_;
};

}  // namespace understudy::internal
