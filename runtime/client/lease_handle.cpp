// Operations on a leased connection: see lease_handle.hpp.
#include "understudy/runtime/client/lease_handle.hpp"

#include "understudy/runtime/client/completion_delivery.hpp"
#include "understudy/runtime/client/failures.hpp"

namespace understudy::internal {

failure_ptr lease_handle::no_lease() const {
  if (state_ && state_->client->forked()) return forked_process();
  return make_failure(errc::invalid_lease, stage::queue,
                      "this lease has ended (returned, taken back, moved from, or the runtime stopped)",
                      state_ ? state_->server_name : std::string{});
}

outcome lease_handle::perform(request_ptr request, const call_options& options) const {
  auto target = state_ ? state_->target() : nullptr;
  if (!target) return no_lease();
  return state_->client->perform_on({target, state_->id, state_->server_name}, std::move(request), options);
}

void lease_handle::start(request_ptr request, completion done, const call_options& options, executor where) const {
  if (!state_) return completion_delivery{std::move(done), std::move(where), nullptr}.tell_unnested(no_lease());
  completion_delivery waiting{std::move(done), std::move(where), state_->client->env_->log};
  if (auto target = state_->target())
    return state_->client->start_on({target, state_->id, state_->server_name}, std::move(request), std::move(waiting),
                                    options);
  state_->client->refuse(std::move(waiting), no_lease());
}

void lease_handle::stream(request_ptr request, completion done, const call_options& options,
                          std::shared_ptr<stream_buffer> parts) const {
  auto target = state_ ? state_->target() : nullptr;
  if (!target) return done(no_lease());
  state_->client->start_on({target, state_->id, state_->server_name, true}, std::move(request),
                           {std::move(done), {}, nullptr}, options, std::move(parts));
}

another_lease lease_handle::others(std::shared_ptr<runtime_client> client, time_point deadline) {
  // Each server that fails is known to fail by then; who meets more of them has no luck today.
  constexpr int most_others = 3;
  return [client = std::move(client), deadline, left = most_others, tried = server_set{}](
             const lease_handle& failed, const failure& why) mutable -> std::optional<fresh_lease> {
    const bool busy = classify(why) == failure_class::overload;
    if (!client || !failed.state_ || !(busy || why.code == errc::connection_unhealthy)) return std::nullopt;
    const auto rest = [&] { return deadline - client->env_->clock->now(); };
    if (left-- <= 0 || rest() <= duration::zero()) return std::nullopt;
    tried.insert(failed.state_->server);
    lease_options from;
    from.timeout = rest();
    auto got = client->acquire_elsewhere(from, tried);
    if (!got) return std::nullopt;
    lease_handle next{std::move(*got.value)};
    // A busy server is left alone.
    if (busy && tried.contains(next.state_->server)) {
      next.give_back();
      return std::nullopt;
    }
    return fresh_lease{std::move(next), std::max<duration>(rest(), duration{1})};
  };
}

void lease_handle::give_back() const {
  if (own_ && state_) state_->client->let_go(*state_);
}

}  // namespace understudy::internal
