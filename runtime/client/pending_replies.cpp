// Where answers from actors arrive for those who are no actors: see pending_replies.hpp.
#include "understudy/runtime/client/pending_replies.hpp"

#include "understudy/runtime/platform/callback_thread.hpp"

#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>

namespace understudy::internal {
pending_replies::pending_replies(caf::actor_config& config, environment_ptr env)
    : caf::monitorable_actor(config), env_(std::move(env)) {}

void pending_replies::start() { timer_ = env_->poller->add_timer(address()); }

std::optional<caf::message_id> pending_replies::note(pending_request_ptr request) {
  auto number = ++last_number_;
  auto& s = shard_of(number);
  failure_ptr refused;
  {
    std::lock_guard guard{s.mutex};
    refused = s.closed;
    if (!refused) {
      s.waiting.emplace(number, request);
      ++waiting_;
    }
  }
  if (refused) {
    request->failed(refused);
    return std::nullopt;
  }
  keep_time();
  return caf::make_message_id(number);
}

void pending_replies::close(failure_ptr why) {
  std::vector<pending_request_ptr> left;
  for (auto& s : shards_) {
    std::lock_guard guard{s.mutex};
    if (!s.closed) s.closed = why;
    for (auto& [number, request] : s.waiting) left.push_back(std::move(request));
    s.waiting.clear();
  }
  waiting_ -= left.size();
  for (auto& request : left) request->failed(why);
  env_->poller->remove_timer(timer_);
  cleanup(caf::exit_reason::user_shutdown, nullptr);
}

failure_ptr pending_replies::closed() const {
  std::lock_guard guard{shards_[0].mutex};
  return shards_[0].closed;
}

pending_request_ptr pending_replies::take(std::uint64_t number) {
  auto& s = shard_of(number);
  std::lock_guard guard{s.mutex};
  auto it = s.waiting.find(number);
  if (it == s.waiting.end()) return nullptr;
  auto request = std::move(it->second);
  s.waiting.erase(it);
  --waiting_;
  return request;
}

pending_request_ptr pending_replies::find(std::uint64_t number) const {
  auto& s = shard_of(number);
  std::lock_guard guard{s.mutex};
  auto it = s.waiting.find(number);
  return it == s.waiting.end() ? nullptr : it->second;
}

void pending_replies::enqueue(caf::mailbox_element_ptr message, caf::execution_unit*) {
  // To the end of the request: what a caller gave with it may be the last that holds a manager.
  const callback_thread here{may_wait::for_nothing};
  if (message->mid.is_response()) {
    if (auto asked = take(message->mid.request_id().integer_value())) asked->answered(message->content());
    return;
  }
  if (message->mid.is_request()) {
    bounce(message, caf::sec::unexpected_message);
    return;
  }
  auto& content = message->content();
  if (content.match_elements<tick_atom, std::uint64_t>()) return sweep();
  if (!content.match_elements<batch_atom, std::uint64_t, search_batch>()) return;
  if (auto asked = find(content.get_as<std::uint64_t>(1))) asked->on_batch(content.move_if_unshared<search_batch>(2));
}

// One timer for all: started with the first request, going on while any wait.
void pending_replies::keep_time() {
  if (sweeping_.exchange(true)) return;
  env_->poller->set_timer(timer_, env_->clock->now() + sweep_interval);
}

std::vector<pending_request_ptr> pending_replies::take_over(time_point now) {
  std::vector<pending_request_ptr> result;
  for (auto& s : shards_) {
    std::lock_guard guard{s.mutex};
    for (auto it = s.waiting.begin(); it != s.waiting.end();) {
      if (!it->second->over(now)) {
        ++it;
        continue;
      }
      result.push_back(std::move(it->second));
      it = s.waiting.erase(it);
    }
  }
  waiting_ -= result.size();
  return result;
}

void pending_replies::sweep() {
  auto over = take_over(env_->clock->now());
  sweeping_ = false;
  // A request noted since the flag went down has started the timer itself; one noted before is seen here.
  if (waiting_ > 0) keep_time();
  for (auto& request : over) request->expired();
}

pending_replies_handle make_pending_replies(caf::actor_system& system, environment_ptr env) {
  caf::actor_config config;
  pending_replies_handle replies{caf::make_actor<pending_replies, caf::strong_actor_ptr>(
      system.next_actor_id(), system.node(), &system, config, std::move(env))};
  replies->start();
  return replies;
}

}  // namespace understudy::internal
