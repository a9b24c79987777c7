// One request of a thread on its way through the actors: see client_request.hpp.
#include "understudy/runtime/client/client_request.hpp"

#include "understudy/runtime/platform/poller_scheduler.hpp"

#include <caf/sec.hpp>
#include <caf/send.hpp>

namespace understudy::internal {
namespace {

// Time for a supervisor to replace what ended.
constexpr milliseconds bounce_pause{100};
constexpr int most_bounces = 5;

// Requests that this thread is sending: an actor that has ended answers from within that.
thread_local int sending = 0;

void enqueue(const caf::strong_actor_ptr& to, caf::mailbox_element_ptr message) {
  ++sending;
  to->enqueue(std::move(message), nullptr);
  --sending;
}

void send_cancel(const caf::strong_actor_ptr& to, const cancel_token_ptr& token) {
  token->cancel();
  to->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, cancel_atom_v, token);
}

}  // namespace

runtime_client::client_request::client_request(std::shared_ptr<runtime_client> client, route to, request_ptr request,
                                               time_point deadline, completion_delivery done,
                                               std::shared_ptr<stream_buffer> parts)
    : client_(std::move(client)),
      to_(std::move(to)),
      started_(client_->env_->clock->now()),
      recovery_(client_->recovery()),
      done_(std::move(done)),
      parts_(std::move(parts)) {
  call_.what = std::move(request);
  call_.deadline = deadline;
  call_.token = std::make_shared<cancel_token>();
}

void runtime_client::client_request::start(std::shared_ptr<cancel_source::state> cancel) {
  if (cancel) {
    cancel_ = std::move(cancel);
    cancel_binding_ = cancel_->bind([client = client_, to = to_, token = call_.token] {
      send_cancel(to.lease == 0 ? client->first_hop() : to.to, token);
    });
    if (cancel_binding_ == 0)
      return settle(make_failure(caller_cancelled(stage::queue, "nothing was sent")), told::elsewhere);
  }
  send();
}

void runtime_client::client_request::send() {
  auto& replies = client_->replies_;
  returns_ = client_->env_->returns->load();
  auto id = replies->note(shared_from_this());
  if (!id) return;
  if (parts_) {
    const auto number = id->request_id().integer_value();
    parts_->begin([to = to_.to, lease = to_.lease, number](std::uint32_t more) {
      to->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, credit_atom_v, lease, number, more);
    });
    return enqueue(to_.to, caf::make_mailbox_element(replies.actor, *id, {}, stream_atom_v, to_.lease, call_, number,
                                                     parts_->window()));
  }
  auto element = to_.lease == 0 ? caf::make_mailbox_element(replies.actor, *id, {}, perform_atom_v, call_)
                                : caf::make_mailbox_element(replies.actor, *id, {}, perform_atom_v, to_.lease, call_);
  enqueue(to_.to, std::move(element));
}

void runtime_client::client_request::on_batch(search_batch&& batch) {
  auto why = parts_->add(std::move(batch), client_->env_->clock->now());
  if (!why) return;
  parts_->end(std::move(why));
  send_cancel(to_.to, call_.token);
}

void runtime_client::client_request::answered(caf::type_erased_tuple& content) {
  const auto where = sending > 0 || poller_scheduler::on_caller_thread() ? told::elsewhere : told::here;
  if (content.match_elements<result_ptr>()) {
    if (auto value = content.move_if_unshared<result_ptr>(0)) return settle(std::move(value), where);
  }
  if (send_again(content)) return;
  auto why = explain(content);
  if (!try_later(why)) settle(last_word(why), where);
}

// CAF bounces what lies in the mailbox of an actor that ends, and nothing else: it was not sent to any server.
bool runtime_client::client_request::send_again(caf::type_erased_tuple& content) {
  if (to_.lease != 0 || bounces_ >= most_bounces || client_->draining_ || call_.token->cancelled()) return false;
  if (!content.match_elements<caf::error>() || content.get_as<caf::error>(0) != caf::sec::request_receiver_down)
    return false;
  auto now = client_->env_->clock->now();
  if (now + bounce_pause >= call_.deadline) return false;
  ++bounces_;
  resume_at_ = now + bounce_pause;
  call_.last = explain(content);
  client_->replies_->note(shared_from_this());
  return true;
}

bool runtime_client::client_request::try_later(const failure_ptr& why) {
  // A lease is one connection: what failed there stays failed.
  if (to_.lease != 0 || client_->draining_ || call_.token->cancelled()) return false;
  const auto now = client_->env_->clock->now();
  if (!failing_since_) failing_since_ = now;
  const auto due = next_attempt(*why, now);
  if (due == time_point::max()) return false;
  resume_at_ = planned_ = due;
  call_.last = why;
  client_->replies_->note(shared_from_this());
  return true;
}

time_point runtime_client::client_request::next_attempt(const failure& why, time_point now) {
  // It went before its time, as a server was back, and others were quicker: the same pause goes on.
  if (now < planned_ && why.code == errc::breaker_open) return planned_;
  // A busy server has answered; what it would not do is tried again by the same rule as elsewhere.
  if (classify(why) == failure_class::overload && !client_->env_->may_repeat(call_.what->op)) return time_point::max();
  const auto pause = recovery_.next(why, call_.deadline - now);
  return pause ? now + *pause : time_point::max();
}

failure_ptr runtime_client::client_request::last_word(const failure_ptr& why) const {
  if (!failing_since_) return why;
  return recovery_.last_word(why, client_->env_->clock->now() - *failing_since_);
}

bool runtime_client::client_request::over(time_point now) const {
  if (resume_at_ == time_point::max()) return now >= call_.deadline + pending_replies::sweep_interval;
  const bool back = planned_ == resume_at_ && client_->env_->returns->load() != returns_;
  return now >= resume_at_ || back || call_.token->cancelled() || client_->draining_;
}

failure_ptr runtime_client::client_request::explain(caf::type_erased_tuple& content) const {
  auto why = error_in(content);
  const bool cut_off = why->code == errc::stopped || why->code == errc::connection_unhealthy;
  if (parts_ && cut_off && client_->draining_) {
    auto cut = runtime_stopping(stage::operation, "the search was not read to its end");
    cut.server = to_.server;
    return make_failure(std::move(cut));
  }
  // A leased connection that is no more answers nothing itself: CAF bounces what is sent to it.
  if (to_.lease != 0 && why->code == errc::stopped)
    return make_failure(errc::connection_unhealthy, stage::operation,
                        "the leased connection to " + to_.server + " was closed; take another lease", to_.server);
  return why;
}

void runtime_client::client_request::expired() {
  if (resume_at_ != time_point::max()) {
    resume_at_ = time_point::max();
    if (call_.token->cancelled()) return settle(make_failure(caller_cancelled(stage::queue)), told::here);
    if (client_->draining_) return settle(last_word(call_.last), told::here);
    if (to_.lease == 0) to_.to = client_->first_hop();
    return send();
  }
  send_cancel(to_.lease == 0 ? client_->first_hop() : to_.to, call_.token);
  auto limit = std::chrono::duration_cast<milliseconds>(call_.deadline - started_).count();
  settle(make_failure(errc::operation_timeout, stage::operation,
                      "no answer within " + std::to_string(limit) + " ms; the operation was abandoned", to_.server),
         told::here);
}

void runtime_client::client_request::settle(outcome answer, told where) {
  if (cancel_) cancel_->unbind(cancel_binding_);
  // How long a stream took says more about its reader than about the directory.
  const auto heard = parts_ ? parts_->first_heard() : std::nullopt;
  client_->finished(answer.error(), heard.value_or(client_->env_->clock->now()) - started_);
  if (to_.awaited || where == told::here)
    done_.tell(std::move(answer));
  else
    done_.tell_elsewhere(client_->env_->poller.get(), std::move(answer));
}

}  // namespace understudy::internal
