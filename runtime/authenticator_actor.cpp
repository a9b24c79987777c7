// Plays dialogues by messages to the router: see authenticator_actor.hpp.
#include "understudy/runtime/authenticator_actor.hpp"

#include "understudy/actors/authenticator/chasing_dialogue.hpp"
#include "understudy/actors/authenticator/entry_fetch.hpp"
#include "understudy/actors/authenticator/group_search.hpp"
#include "understudy/actors/authenticator/password_change.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/config/problem.hpp"
#include "understudy/runtime/client/login_service.hpp"
#include "understudy/runtime/runtime.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy {

using namespace internal;

namespace internal {

class authenticator_impl {
 public:
  static constexpr const char* name = "understudy.authenticator";

  authenticator_impl(authenticator_actor::pointer self, environment_ptr env, circuit_breaker_actor router,
                     std::shared_ptr<login_service> service)
      : self_(self),
        env_(std::move(env)),
        router_(std::move(router)),
        service_(std::move(service)),
        guard_(*self, env_, "authenticator") {}

  authenticator_actor::behavior_type make_behavior() {
    return {
        [this](authenticate_atom, user_query& query, const secret& password) {
          return guard_.answer<login_result>([&]() -> caf::result<login_result> {
            const auto now = service_->now();
            return begin<login_result>(
                std::make_unique<cached_login>(now.memory, now.how, query.user, password, query.attributes), query, now,
                now.shared);
          });
        },
        [this](lookup_atom, user_query& query) {
          return guard_.answer<lookup_result>([&]() -> caf::result<lookup_result> {
            const auto now = service_->now();
            return begin<lookup_result>(std::make_unique<user_search>(now.how, query.user, query.attributes), query,
                                        now, now.shared);
          });
        },
        [this](groups_atom, user_query& query) { return groups(query, std::nullopt); },
        [this](groups_atom, user_query& query, group_strategy by) { return groups(query, by); },
        [this](fetch_atom, user_query& query) {
          return guard_.answer<fetch_result>([&]() -> caf::result<fetch_result> {
            const auto now = service_->now();
            return begin<fetch_result>(std::make_unique<entry_fetch>(now.how, query.user, query.attributes), query, now,
                                       now.shared);
          });
        },
        [this](change_password_atom, user_query& query, const secret& old_password, const secret& new_password,
               password_method by) {
          return guard_.answer<password_change_result>([&]() -> caf::result<password_change_result> {
            const auto now = service_->now();
            return begin<password_change_result>(
                std::make_unique<password_change>(now.how, query.user, old_password, new_password, by), query, now,
                nullptr);
          });
        },
        [this](forget_atom, const std::string& user) { guard_.run([&] { service_->now().forget(user); }); },
        [this](forget_atom) { guard_.run([&] { service_->now().forget_all(); }); },
        [this](reload_atom, authenticator_settings& how) {
          return guard_.answer<bool>([&]() -> caf::result<bool> {
            try {
              service_->reload(std::move(how));
              return true;
            } catch (const config_error& e) {
              return to_error(make_failure(errc::invalid_request, stage::queue, e.what()));
            }
          });
        },
    };
  }

 private:
  /// One dialogue on its way.
  template <class Result>
  struct play {
    std::unique_ptr<dialogue<Result>> talk;
    caf::typed_response_promise<Result> promise;
    std::shared_ptr<shared_requests> shared;
    time_point deadline{};
    cancel_token_ptr token;
  };
  template <class Result>
  using play_ptr = std::shared_ptr<play<Result>>;

  caf::result<group_result> groups(user_query& query, std::optional<group_strategy> by) {
    return guard_.answer<group_result>([&]() -> caf::result<group_result> {
      const auto now = service_->now();
      return begin<group_result>(std::make_unique<group_search>(now.how, query.user, by), query, now, now.shared);
    });
  }

  template <class Result>
  caf::result<Result> begin(std::unique_ptr<dialogue<Result>> talk, const user_query& query,
                            const login_state_of_service& now, std::shared_ptr<shared_requests> shared) {
    const auto limit = as_limit(query.timeout == duration::zero() ? now.how->timeout : query.timeout);
    auto played = std::make_shared<play<Result>>();
    played->talk = std::move(talk);
    if (now.targets)
      played->talk = std::make_unique<chasing_dialogue<Result>>(std::move(played->talk), now.targets->limits());
    played->promise = self_->template make_response_promise<Result>();
    played->shared = std::move(shared);
    played->deadline = env_->clock->now() + limit;
    played->token = query.token ? query.token : std::make_shared<cancel_token>();
    auto promise = played->promise;
    go_on(played, played->talk->begin());
    return promise;
  }

  failure_ptr over(const cancel_token_ptr& token, time_point deadline) const {
    if (token->cancelled()) return make_failure(caller_cancelled(stage::queue));
    if (env_->clock->now() >= deadline) return make_failure(deadline_passed_unsent(stage::queue));
    return nullptr;
  }

  template <class Result>
  void go_on(const play_ptr<Result>& played, typename dialogue<Result>::step step) {
    while (auto* request = std::get_if<request_ptr>(&step)) {
      auto why = over(played->token, played->deadline);
      if (!why) return send(played, std::move(*request));
      step = played->talk->answered({nullptr, std::move(why)});
    }
    auto& last = std::get<Result>(step);
    if constexpr (std::is_same_v<Result, password_change_result>) service_->now().forget_after(last);
    played->promise.deliver(std::move(last));
  }

  template <class Result>
  void answered(const play_ptr<Result>& played, const reply_to_request& reply) {
    guard_.run([&] { go_on(played, played->talk->answered(reply)); });
  }

  template <class Result>
  void send(const play_ptr<Result>& played, request_ptr request) {
    if (!played->shared) return send_own(played, std::move(request), 0);
    auto told = [this, played, request](const reply_to_request& reply) {
      guard_.run([&] {
        if (shared_requests::is_the_askers_own(reply)) return go_on(played, request);
        answered(played, {reply.found ? std::make_shared<result>(*reply.found) : nullptr, reply.failed});
      });
    };
    if (const auto number = played->shared->join(*request, played->deadline, std::move(told)))
      send_own(played, std::move(request), number);
  }

  template <class Result>
  void send_own(const play_ptr<Result>& played, request_ptr request, std::uint64_t number) {
    call order;
    order.what = std::move(request);
    order.deadline = played->deadline;
    order.token = played->token;
    const auto got = [this, played, number](const reply_to_request& reply) {
      if (number != 0) played->shared->land(number, reply);
      answered(played, reply);
    };
    // The deadline is the request's own: whoever has it answers.
    self_->request(router_, caf::infinite, perform_atom_v, std::move(order))
        .then(
            [got](const result_ptr& found) {
              got({found, nullptr});
            },
            [got](const caf::error& e) {
              got({nullptr, failure_of(e)});
            });
  }

  authenticator_actor::pointer self_;
  environment_ptr env_;
  circuit_breaker_actor router_;
  std::shared_ptr<login_service> service_;
  handler_guard guard_;
};

}  // namespace internal

authenticator_actor spawn_authenticator(const runtime& directory, authenticator_settings how) {
  auto service = std::make_shared<login_service>(std::move(how));
  return spawn_shell<authenticator_actor, authenticator_impl>(directory.system(), directory.env(), directory.router(),
                                                              std::move(service));
}

}  // namespace understudy
