// What a pool does when its settings change while it works, and when its server is taken out of them.
#include "understudy/actors/pool/pool_state.hpp"

#include <algorithm>

namespace understudy {
namespace {

/// Connections that were made with other values are replaced within about this long.
constexpr duration renewal_spread = seconds{5};

}  // namespace

void pool_state::reconfigure(pool_policy policy, bool renew, time_point now) {
  if (policy.min > policy_.min) filled_ = false;
  policy_ = std::move(policy);
  for (auto* r : {&rounds_, &bind_rounds_}) r->set_base(policy_.retry_base);
  growth_.set_base(policy_.retry_base);
  if (policy_.max_lifetime > duration::zero())
    for (auto& [id, s] : slots_) s.expires = std::min(s.expires, now + policy_.max_lifetime);
  if (renew) renew_all(now);
  trim(now);
  settle(now);
}

/// Make before break: what serves goes on until one that was made with the new values is ready.
void pool_state::renew_all(time_point now) {
  for (auto& [id, s] : slots_) {
    if (s.state == slot_state::connecting)
      close(s, now);
    else if (s.kind == connection_kind::bind && s.state == slot_state::ready)
      retire(s, now);
    else if (s.alive())
      s.expires = std::min(s.expires, now + up_to(renewal_spread, dependencies_.random));
  }
  credential_refusal_ = nullptr;
  growth_.forget();
  in_vain_ = 0;
  no_room_before_ = time_point{};
  for (auto* r : {&rounds_, &bind_rounds_}) r->reset(now, dependencies_.random, duration::zero());
}

/// To a maximum that was lowered: first what connects, then what idles; what is in use goes when it is free.
void pool_state::trim(time_point now) {
  const auto c = slots_.count(now);
  const auto surplus = [](std::uint32_t have, std::uint32_t most) { return have > most ? have - most : 0U; };
  const auto others = std::min(c.binds(), policy_.max_bind) + probe_slots_;
  trim(connection_kind::bind, surplus(c.binds(), policy_.max_bind), now);
  trim(connection_kind::pooled, surplus(c.pooled(), std::min(policy_.max_pooled, surplus(policy_.max, others))), now);
}

void pool_state::trim(connection_kind kind, std::uint32_t surplus, time_point now) {
  std::vector<slot*> candidates;
  for (auto& [id, s] : slots_)
    if (s.kind == kind && (s.alive() || s.state == slot_state::connecting)) candidates.push_back(&s);
  const auto rank = [](const slot* s) {
    if (s->state == slot_state::connecting) return 0;
    return s->state == slot_state::ready && s->load() == 0 ? 1 : 2;
  };
  std::sort(candidates.begin(), candidates.end(), [&](const slot* a, const slot* b) {
    return std::pair{rank(a), a->last_turn} < std::pair{rank(b), b->last_turn};
  });
  for (slot* s : candidates) {
    if (surplus == 0) return;
    --surplus;
    if (s->state == slot_state::connecting)
      close(*s, now);
    else if (s->state == slot_state::ready)
      retire(*s, now);
    else
      s->expires = now;
  }
}

void pool_state::leave(time_point deadline, time_point now) {
  leaving_ = true;
  const auto why = pool_is_draining(situation(now));
  for (wait_queue* q : {&pooled_, &binds_})
    for (auto at = q->begin(); at != q->end();) at = send_away(*q, at, why, false, now);
  drain(deadline, now);
}

}  // namespace understudy
