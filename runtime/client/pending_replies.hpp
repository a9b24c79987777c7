// Where answers from actors arrive for those who are no actors: each request is settled on the thread that replies.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/monitorable_actor.hpp>

#include <array>
#include <mutex>

namespace understudy::internal {

/// A request to an actor whose answer is outstanding. Exactly one of answered(), failed() and expired() is called,
/// exactly once: the first and the last on the thread that brings the news, marked as a callback_thread; failed() on
/// any.
class pending_request {
 public:
  virtual ~pending_request() = default;
  /// A batch of a streaming search, before its answer; on the thread that sends it.
  virtual void on_batch(search_batch&&) {}
  /// The answer: a value or a caf::error.
  virtual void answered(caf::type_erased_tuple& content) = 0;
  /// No answer will come.
  virtual void failed(failure_ptr why) = 0;
  /// Its time is over.
  virtual void expired() = 0;
  /// True when it shall not wait any longer; asked every sweep_interval.
  virtual bool over(time_point now) const = 0;
};
using pending_request_ptr = std::shared_ptr<pending_request>;

/// An actor without mailbox or behaviour: whoever replies to it settles the request right there, so the answer costs
/// no further hop. It also keeps the time for all of its requests, with one timer that is set only while some wait.
class pending_replies final : public caf::monitorable_actor {
 public:
  static constexpr milliseconds sweep_interval{100};

  pending_replies(caf::actor_config& config, environment_ptr env);

  /// Once, after it was made: an actor has no address while it is constructed.
  void start();
  /// Notes a request and returns the message id to send it with; nothing after close(): then `request` has
  /// failed already.
  std::optional<caf::message_id> note(pending_request_ptr request);
  /// Fails every request that waits and all that come later. Ends the actor: who monitors it is told.
  void close(failure_ptr why);
  /// Why it was closed; null while it is open.
  failure_ptr closed() const;

  const char* name() const override { return "understudy.client"; }
  void enqueue(caf::mailbox_element_ptr reply, caf::execution_unit* host) override;

 private:
  struct shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, pending_request_ptr> waiting;
    failure_ptr closed;
  };
  shard& shard_of(std::uint64_t number) { return shards_[number % shards_.size()]; }
  const shard& shard_of(std::uint64_t number) const { return shards_[number % shards_.size()]; }
  pending_request_ptr take(std::uint64_t number);
  pending_request_ptr find(std::uint64_t number) const;
  std::vector<pending_request_ptr> take_over(time_point now);
  void sweep();
  void keep_time();

  environment_ptr env_;
  poller_port::timer_id timer_ = 0;
  std::array<shard, 16> shards_;
  std::atomic<std::uint64_t> last_number_{0}, waiting_{0};
  std::atomic<bool> sweeping_{false};
};

/// The actor, kept alive.
struct pending_replies_handle {
  caf::strong_actor_ptr actor;
  pending_replies* operator->() const { return static_cast<pending_replies*>(actor->get()); }
};
pending_replies_handle make_pending_replies(caf::actor_system& system, environment_ptr env);

}  // namespace understudy::internal
