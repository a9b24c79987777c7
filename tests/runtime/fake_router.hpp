// A router that does with requests what a test says, in the place of breaker, pools and connections.
#pragma once
#include "understudy/messages/actors.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>

#include <functional>
#include <mutex>
#include <vector>

namespace understudy::test {

/// What became of the requests sent to a fake router, and what it shall do with the next. Thread-safe.
class fake_router {
  template <class F>
  auto get(F f) const {
    std::lock_guard guard{mutex_};
    return f();
  }

 public:
  using treatment = std::function<void(caf::response_promise, const call&)>;

  explicit fake_router(caf::actor_system& system)
      : actor_(system.spawn([this](caf::event_based_actor* self) { return behave(self); })) {}

  circuit_breaker_actor router() const {
    return caf::actor_cast<circuit_breaker_actor>(caf::actor_cast<caf::strong_actor_ptr>(actor_));
  }
  connection_manager_actor manager() const {
    return caf::actor_cast<connection_manager_actor>(caf::actor_cast<caf::strong_actor_ptr>(actor_));
  }
  const caf::actor& actor() const { return actor_; }

  /// Called for each request, on the router's thread.
  void treat(treatment how) {
    std::lock_guard guard{mutex_};
    treatment_ = std::move(how);
  }
  std::size_t seen() const {
    return get([this] { return calls_.size(); });
  }
  std::size_t cancelled() const {
    return get([this] { return cancelled_.size(); });
  }
  call last() const {
    return get([this] { return calls_.back(); });
  }
  /// Answers the oldest request that is kept; false when there is none.
  bool answer_kept(const std::string& server = "kept") {
    std::lock_guard guard{mutex_};
    if (kept_.empty()) return false;
    kept_.front().deliver(found(server));
    kept_.erase(kept_.begin());
    return true;
  }

  static caf::error failing(errc code) {
    failure f;
    f.code = code;
    return to_error(std::move(f));
  }
  static result_ptr found(std::string server) {
    auto r = std::make_shared<result>();
    r->server = std::move(server);
    return r;
  }

 private:
  caf::behavior behave(caf::event_based_actor* self) {
    return {[this, self](perform_atom, const call& order) {
              auto promise = self->make_response_promise();
              treatment how;
              {
                std::lock_guard guard{mutex_};
                calls_.push_back(order);
                how = treatment_;
                if (!how) kept_.push_back(promise);
              }
              if (how) how(promise, order);
            },
            [this](cancel_atom, const cancel_token_ptr& token) {
              std::lock_guard guard{mutex_};
              cancelled_.push_back(token);
            }};
  }

  mutable std::mutex mutex_;
  treatment treatment_;
  std::vector<call> calls_;
  std::vector<cancel_token_ptr> cancelled_;
  std::vector<caf::response_promise> kept_;
  caf::actor actor_;
};

}  // namespace understudy::test
