// How many sockets to one directory server this node may have, of a budget that nodes share without consensus.
#pragma once
#include "understudy/actors/ports/socket_permits.hpp"
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace understudy::internal {

/// Whose budget it is. Every node is configured with the same total and the same names.
struct budget_options {
  std::uint32_t total = 0;         ///< sockets to the server, over all nodes
  std::vector<std::string> nodes;  ///< all that are configured, this one included
  std::string self;                ///< this one
  std::uint64_t incarnation = 1;   ///< of this process; a later one of the same node has a higher number
  duration term = seconds{30};     ///< a loan that is not renewed for so long is given back
};

/// What a borrower tells an owner: of the owner's sockets it uses `held` at most, and would like `wanted`.
struct loan_request {
  std::uint64_t incarnation = 0;  ///< of the borrower
  std::uint64_t number = 0;       ///< grows; an answer counts for the latest alone
  std::uint32_t held = 0;
  std::uint32_t wanted = 0;  ///< in all, `held` included
};

/// A request to be sent to `owner`.
struct outgoing_loan_request {
  std::string owner;
  loan_request request;
};

/// Each node owns an equal part of the budget and lends at most half of it to nodes that want more.
///
/// Over all nodes the budget is never exceeded, whatever is cut off, paused, ended or started again, and whatever the
/// clocks do: what was lent is counted as used until the borrower says that it uses less, or that it is another process
/// by now. A borrower that is not heard of keeps what it has got; one that hears nothing of the owner gives it back,
/// and the owner learns of it when they meet again. A process that has just begun does not know what an earlier one
/// lent: until every other node has told it, it uses the half that is never lent. So a node that is gone for good has
/// to be taken out of the configuration.
///
/// Pure: time and messages come in. Times decide when something is renewed and given back, never what may be used.
class connection_budget {
 public:
  connection_budget(budget_options options, time_point now);

  /// What the pool of that server takes a socket of.
  const std::shared_ptr<socket_permits>& permits() const noexcept { return permits_; }
  /// How many sockets would be of use.
  void want(std::uint32_t sockets, time_point now);

  /// As an owner: answers another node's request with how many of ours it may use from now on, more or fewer than it
  /// holds. Zero for nodes that are not configured.
  std::uint32_t lend(const std::string& borrower, const loan_request& request);

  /// As a borrower: what is to be sent now; to an owner one request at a time. To be called at next(), and when sockets
  /// were closed of which there were more than permitted.
  /// `to`: whom a request can be sent to now; empty: everybody.
  std::vector<outgoing_loan_request> take_requests(time_point now,
                                                   const std::function<bool(const std::string& owner)>& to = {});
  /// The owner's answer to that request.
  void granted(const std::string& owner, std::uint64_t number, std::uint32_t may_use, time_point now);
  /// That request will not be answered.
  void lost(const std::string& owner, std::uint64_t number, time_point now);
  /// No request that was sent will be answered.
  void lost_all(time_point now);
  /// That node is reached, perhaps again: it may be another process, which knows nothing of us.
  void met(const std::string& owner, time_point now);
  /// It wants back what it has lent: the loan is renewed at once, on its terms.
  void recalled(const std::string& owner, time_point now);
  /// When take_requests() has something to say; time_point::max(): never.
  time_point next() const noexcept;

  /// True when that owner may be asked now for sockets that are missing.
  bool asks(const std::string& owner, time_point now) const;
  /// True when we want for ourselves what that node may use of ours.
  bool recalls(const std::string& borrower) const;

  /// What is ours by the configuration.
  std::uint32_t share() const noexcept { return share_; }
  /// Of ours, what others may use, or may have been lent by an earlier process.
  std::uint32_t lent() const noexcept;
  /// Of others', what we may use.
  std::uint32_t borrowed() const noexcept;

 private:
  // Another node as a borrower.
  struct borrower {
    std::uint64_t incarnation = 0, number = 0;
    std::uint32_t lent = 0;
    bool known = false;  // it has told us since we began
  };
  // … and as an owner.
  struct owner {
    std::uint32_t share = 0;    // its own by the configuration
    std::uint32_t held = 0;     // of its share: it counts no less as lent to us
    std::uint32_t usable = 0;   // of these, what our permits count; the rest goes back as soon as it is closed
    std::uint32_t told = 0;     // that we hold, with the last request
    std::uint32_t counted = 0;  // by it as lent to us, at most
    std::uint32_t asked = 0;    // for more than that, with a request that is not answered
    std::uint64_t number = 0;   // of the last request
    bool waiting = false;       // it is not answered yet
    bool introduced = false;    // its present process has heard what we hold
    time_point sent{};          // the last request
    time_point valid_until{};   // what is usable goes back then
    time_point again{};         // when to renew it, or to introduce ourselves
    time_point more_at{};       // when it may be asked for more
  };

  std::uint32_t may_lend() const noexcept { return share_ / 2; }
  void use(owner& o, std::uint32_t sockets);
  void give_back_spare();
  /// What is not used any more, and closed, is no longer held.
  void settle(time_point now);
  std::uint32_t missing() const noexcept;

  const budget_options options_;
  std::uint32_t share_ = 0;
  std::uint32_t wanted_ = 0;
  std::uint32_t withheld_ = 0;  // of ours, what an earlier process may have lent: not in the permits
  std::shared_ptr<socket_permits> permits_;
  std::map<std::string, borrower> borrowers_;
  std::map<std::string, owner> owners_;
};

}  // namespace understudy::internal
