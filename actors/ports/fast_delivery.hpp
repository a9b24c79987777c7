// The two things every request costs, a hop and an answer, with one allocation each where CAF takes two.
#pragma once
#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/delegated.hpp>
#include <caf/local_actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/typed_response_promise.hpp>

#include <utility>

namespace understudy::internal {

/// Takes the message in hand out, to be handled later: given to an actor, it is answered to its sender.
template <class... Ts>
caf::mailbox_element_ptr take_message(caf::local_actor& self, Ts&&... content) {
  auto* element = self.current_mailbox_element();
  const auto id = element->mid;
  element->mid.mark_as_answered();
  return caf::make_mailbox_element(std::move(element->sender), id, std::move(element->stages),
                                   std::forward<Ts>(content)...);
}

/// What self.delegate(to, content…) does: the message in hand is answered by `to`, as far as its sender can tell.
template <class Answer, class Handle, class... Ts>
caf::delegated<Answer> fast_delegate(caf::local_actor& self, const Handle& to, Ts&&... content) {
  caf::actor_cast<caf::abstract_actor*>(to)->enqueue(take_message(self, std::forward<Ts>(content)...), self.context());
  return {};
}

/// What promise.deliver(value) does.
template <class T>
void fast_deliver(caf::local_actor& self, caf::typed_response_promise<T>& promise, T value) {
  caf::response_promise& inner = promise;
  if (inner.async() || !inner.source() || !inner.stages().empty()) {
    promise.deliver(std::move(value));
    return;
  }
  auto answered = std::exchange(promise, caf::typed_response_promise<T>{});
  caf::response_promise& last = answered;
  last.source()->enqueue(
      caf::make_mailbox_element(caf::strong_actor_ptr{self.ctrl()}, last.id().response_id(), {}, std::move(value)),
      self.context());
}

}  // namespace understudy::internal
