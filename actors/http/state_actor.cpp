// One gathering for all who ask at about the same time.
#include "understudy/actors/http/state_actor.hpp"

#include "understudy/actors/http/state_sharing.hpp"
#include "understudy/actors/ports/actor_shell.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <map>
#include <utility>
#include <vector>

namespace understudy::internal {
namespace {

class http_state_impl {
 public:
  static constexpr const char* name = "understudy.http_state";

  http_state_impl(http_state_actor::pointer self, environment_ptr env, state_source_actor source)
      : self_(self), env_(std::move(env)), source_(std::move(source)), guard_(*self_, env_, "http") {}

  http_state_actor::behavior_type make_behavior() {
    return {
        [this](status_atom) { return guard_.answer<runtime_snapshot>([this] { return ask(); }); },
        [this](reset_atom) { sharing_.forget(); },
        [this](close_atom) { self_->quit(); },
    };
  }

 private:
  using asker = caf::typed_response_promise<runtime_snapshot>;

  caf::result<runtime_snapshot> ask() {
    const auto share = sharing_.ask(env_->clock->now());
    if (!share.begins && latest_) return *latest_;
    auto promise = self_->make_response_promise<runtime_snapshot>();
    waiting_[share.gathering].push_back(promise);
    if (share.begins) begin(share.gathering);
    return promise;
  }

  void begin(std::uint64_t gathering) {
    latest_.reset();
    self_->request(source_, state_patience, status_atom_v)
        .then(
            [this, gathering](runtime_snapshot& state) {
              guard_.run([&] {
                for (auto& each : take(gathering)) each.deliver(state);
                if (gathering == sharing_.latest()) latest_ = std::move(state);
              });
            },
            [this, gathering](const caf::error& e) {
              guard_.run([&] {
                if (gathering == sharing_.latest()) sharing_.forget();
                for (auto& each : take(gathering)) each.deliver(e);
              });
            });
  }

  std::vector<asker> take(std::uint64_t gathering) {
    const auto found = waiting_.extract(gathering);
    return found.empty() ? std::vector<asker>{} : std::move(found.mapped());
  }

  http_state_actor::pointer self_;
  const environment_ptr env_;
  const state_source_actor source_;
  handler_guard guard_;
  state_sharing sharing_;
  std::optional<runtime_snapshot> latest_;  ///< what the latest gathering brought
  std::map<std::uint64_t, std::vector<asker>> waiting_;
};

}  // namespace

http_state_actor spawn_http_state(caf::actor_system& system, environment_ptr env, state_source_actor source) {
  auto poller = env->poller;
  return spawn_shell_on_poller<http_state_actor, http_state_impl>(system, std::move(poller), std::move(env),
                                                                  std::move(source));
}

}  // namespace understudy::internal
