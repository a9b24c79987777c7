// A dialogue whose searches' referrals are followed before it is told their answers.
#pragma once
#include "understudy/actors/authenticator/referral_chase.hpp"

namespace understudy::internal {

/// To who sends its requests it is that dialogue with more of them; to that dialogue it is a directory that has what
/// the referrals lead to.
template <class Result>
class chasing_dialogue final : public dialogue<Result> {
 public:
  using step = typename dialogue<Result>::step;

  /// `talk` has to live as long.
  chasing_dialogue(dialogue<Result>& talk, chase_limits limits) : talk_(&talk), chase_(std::move(limits)) {}
  chasing_dialogue(std::unique_ptr<dialogue<Result>> talk, chase_limits limits)
      : own_(std::move(talk)), talk_(own_.get()), chase_(std::move(limits)) {}

  step begin() override { return watched(talk_->begin()); }
  step answered(const reply_to_request& reply) override {
    if (auto further = chase_.answered(reply)) return further;
    return watched(talk_->answered(chase_.whole()));
  }

 private:
  step watched(step next) {
    if (const auto* order = std::get_if<request_ptr>(&next)) chase_.begin(*order);
    return next;
  }

  std::unique_ptr<dialogue<Result>> own_;
  dialogue<Result>* talk_;
  referral_chase chase_;
};

}  // namespace understudy::internal
