// Operations and streams of one lease, by way of the router.
#include "understudy/actors/node/remote_connection.hpp"

#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/connection/stream_flow.hpp"
#include "understudy/actors/node/remote_operation.hpp"
#include "understudy/actors/node/snapshot_fields.hpp"
#include "understudy/actors/ports/actor_shell.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {
namespace {

bool answers_search(std::uint8_t tag) noexcept { return is_part(tag) || tag == pdu_op::search_done; }

class remote_connection_impl {
 public:
  static constexpr const char* name = "understudy.remote_connection";

  remote_connection_impl(connection_actor::pointer self, remote_connection_spec spec)
      : self_(self), spec_(std::move(spec)), guard_(*self_, spec_.env, "node") {}
  ~remote_connection_impl() {
    if (stream_) stream_->asker.deliver(to_error(make_failure(runtime_ended(stage::operation))));
  }
  connection_actor::behavior_type make_behavior();

 private:
  /// The streaming search that is open, on this side.
  struct open_stream {
    std::uint64_t number = 0;  ///< the consumer's own
    caf::strong_actor_ptr consumer;
    caf::typed_response_promise<result_ptr> asker;
    call order;
    stream_flow flow;
    std::string held{};     ///< messages that came
    std::size_t begin = 0;  ///< of held: what the consumer has not got
    bool more = true;       ///< the node has more
    bool asks = true;       ///< a part was asked for
    result_ptr answer = std::make_shared<result>();
    std::vector<std::uint32_t> entry_credits{};
    std::uint32_t reference_credits = 0;
  };

  failure_ptr failure_here(errc code, std::string message) const {
    return make_failure(code, stage::operation, std::move(message), spec_.server_name);
  }
  failure_ptr of_server(failure said) const {
    said.server = spec_.server_name;
    return make_failure(std::move(said));
  }
  failure_ptr refusal(lease_id lease) const;
  template <class T>
  caf::result<T> ask(node_request asked, std::function<decoded<T>(answer_frame)> form);
  caf::result<result_ptr> perform(lease_id lease, const call& order);
  caf::result<result_ptr> stream(lease_id lease, const call& order, std::uint64_t number, std::uint32_t credits);
  void ask_for_part(request_frame frame);
  void came(answer_frame part);
  void deliver();
  bool take_message(const pdu_frame& frame);
  void send_batch();
  void end_stream(result_ptr answer, failure_ptr why);
  void abandon(failure_ptr why);
  void cancel(const cancel_token_ptr& token);
  /// Who asked is answered first.
  void quit_if_done() {
    if (removed_ && asked_ == 0) self_->quit();
  }
  node_request request_to_node(request_frame frame, time_point deadline) const;
  remote_router_actor router() const { return caf::actor_cast<remote_router_actor>(spec_.router); }
  time_point now() const { return spec_.env->clock->now(); }

  connection_actor::pointer self_;
  const remote_connection_spec spec_;
  bool closed_ = false, removed_ = false;
  std::size_t asked_ = 0;  ///< requests of others that were not answered yet
  std::unique_ptr<open_stream> stream_;
  std::uint64_t streams_ = 0;  ///< begun so far: what comes for an earlier one is nobody's
  handler_guard guard_;
};

connection_actor::behavior_type remote_connection_impl::make_behavior() {
  self_->set_down_handler([this](const caf::down_msg& gone) {
    guard_.run([&] {
      if (stream_ && stream_->consumer && stream_->consumer->address() == gone.source)
        abandon(of_server(consumer_ended()));
    });
  });
  const auto nobodys = [this](const char* why) { return to_error(failure_here(errc::invalid_lease, why)); };
  return {
      [nobodys](perform_atom, const call&) -> caf::result<result_ptr> {
        return nobodys("This connection is leased: its operations name the lease.");
      },
      [this](perform_atom, lease_id lease, const call& order) {
        return guard_.answer<result_ptr>([&] { return perform(lease, order); });
      },
      [this](stream_atom, lease_id lease, const call& order, std::uint64_t number, std::uint32_t credits) {
        return guard_.answer<result_ptr>([&] { return stream(lease, order, number, credits); });
      },
      [this](credit_atom, lease_id lease, std::uint64_t number, std::uint32_t more) {
        guard_.run([&] {
          if (!stream_ || lease != spec_.lease || number != stream_->number) return;
          stream_->flow.grant(more, now());
          deliver();
        });
      },
      [](credit_atom, std::int32_t, std::uint64_t) {},
      [this](cancel_atom, const cancel_token_ptr& token) { guard_.run([&] { cancel(token); }); },
      [](lease_atom, lease_id) {},
      [](reset_atom, lease_id) {},
      [](drain_atom) {},
      [this](close_atom) {
        guard_.run([&] {
          closed_ = true;
          if (stream_ && !stream_->asks) abandon(refusal(spec_.lease));
        });
      },
      [this](removed_atom) {
        guard_.run([&] {
          closed_ = true;
          removed_ = true;
          if (stream_) end_stream(nullptr, refusal(spec_.lease));
        });
        quit_if_done();
      },
      [this](check_atom, time_point deadline) {
        return guard_.answer<probe_report>([&]() -> caf::result<probe_report> {
          if (auto why = refusal(spec_.lease)) return to_error(std::move(why));
          request_frame frame;
          frame.kind = request_kind::check;
          return ask<probe_report>(request_to_node(std::move(frame), deadline),
                                   [](const answer_frame& f) { return decode_probe_report(f.body); });
        });
      },
      [this](status_atom) {
        return guard_.answer<connection_snapshot>([&]() -> caf::result<connection_snapshot> {
          if (auto why = refusal(spec_.lease)) return to_error(std::move(why));
          request_frame frame;
          frame.kind = request_kind::inspect;
          return ask<connection_snapshot>(request_to_node(std::move(frame), now() + small_timeout),
                                          [](const answer_frame& f) { return decode_connection_snapshot(f.body); });
        });
      },
      [](io_atom, std::uint64_t, std::uint32_t) {},
      [](tick_atom, std::uint64_t) {},
      [](flush_atom) {},
      [](resolved_atom, std::uint64_t, const resolution&) {},
  };
}

node_request remote_connection_impl::request_to_node(request_frame frame, time_point deadline) const {
  node_request asked;
  frame.lease = spec_.node_lease;
  asked.about = to_string(frame.kind);
  asked.frame = std::move(frame);
  asked.deadline = deadline;
  asked.session = spec_.session;
  return asked;
}

failure_ptr remote_connection_impl::refusal(lease_id lease) const {
  if (lease != spec_.lease) return of_server(lease_is_of_another_connection());
  if (closed_) return of_server(link_of_lease_lost());
  return stream_ ? of_server(stream_is_open()) : nullptr;
}

template <class T>
caf::result<T> remote_connection_impl::ask(node_request asked, std::function<decoded<T>(answer_frame)> form) {
  const auto to = router();
  if (!to) return to_error(make_failure(runtime_ended(stage::operation)));
  auto asker = self_->make_response_promise<T>();
  ++asked_;
  self_->request(to, caf::infinite, perform_atom_v, std::move(asked))
      .then(
          [this, asker, form = std::move(form)](answer_frame& f) mutable {
            --asked_;
            understudy::internal::deliver(asker, form(std::move(f)));
            quit_if_done();
          },
          [this, asker](caf::error& e) mutable {
            --asked_;
            asker.deliver(to_error(failure_of(e)));
            quit_if_done();
          });
  return asker;
}

caf::result<result_ptr> remote_connection_impl::perform(lease_id lease, const call& order) {
  if (auto why = refusal(lease)) return to_error(std::move(why));
  if (order.parts != 0) return to_error(of_server(parts_do_not_cross()));
  auto made = remote_request_of(*order.what);
  if (made.error) return to_error(std::move(made.error));
  auto asked = request_to_node(std::move(made.frame), order.deadline);
  asked.token = order.token;
  asked.repeatable = spec_.env->may_repeat(order.what->op);
  asked.about = describe(order.what->op);
  const bool repeatable = asked.repeatable;
  return ask<result_ptr>(std::move(asked),
                         [what = order.what, most = spec_.most_result_bytes, repeatable](answer_frame f) {
                           auto got = outcome_of(*what, std::move(f), most, repeatable);
                           decoded<result_ptr> read;
                           read.error = std::move(got.error);
                           if (got.answer) read.value = std::move(got.answer);
                           return read;
                         });
}

void remote_connection_impl::cancel(const cancel_token_ptr& token) {
  if (stream_ && stream_->order.token == token)
    return abandon(make_failure(failure{caller_cancelled(stage::operation)}));
  if (const auto to = router()) self_->send(to, cancel_atom_v, token);
}

// ---- streaming searches ----

caf::result<result_ptr> remote_connection_impl::stream(lease_id lease, const call& order, std::uint64_t number,
                                                       std::uint32_t credits) {
  if (auto why = refusal(lease)) return to_error(std::move(why));
  if (!std::holds_alternative<search_request>(order.what->op)) return to_error(of_server(only_searches_stream()));
  if (order.token && order.token->cancelled())
    return to_error(of_server(caller_cancelled(stage::operation, "nothing was sent")));
  auto consumer = self_->current_sender();
  if (!consumer) return to_error(of_server(stream_without_consumer()));
  auto made = remote_request_of(*order.what);
  if (made.error) return to_error(std::move(made.error));
  auto asker = self_->make_response_promise<result_ptr>();
  ++streams_;
  self_->monitor(consumer);
  stream_ = std::make_unique<open_stream>(
      open_stream{number, std::move(consumer), asker, order, {credits, spec_.most_result_bytes, now()}});
  stream_->answer->server = spec_.server_name;
  made.frame.kind = request_kind::begin_stream;
  ask_for_part(std::move(made.frame));
  return asker;
}

void remote_connection_impl::ask_for_part(request_frame frame) {
  stream_->asks = true;
  const auto to = router();
  if (!to) return end_stream(nullptr, make_failure(runtime_ended(stage::operation)));
  self_->request(to, caf::infinite, perform_atom_v, request_to_node(std::move(frame), stream_->order.deadline))
      .then(
          [this, which = streams_](answer_frame& part) {
            guard_.run([&] {
              if (stream_ && which == streams_) came(std::move(part));
            });
          },
          [this, which = streams_](caf::error& e) {
            guard_.run([&] {
              if (stream_ && which == streams_) end_stream(nullptr, failure_of(e));
            });
          });
}

void remote_connection_impl::came(answer_frame part) {
  stream_->asks = false;
  if (part.kind != answer_kind::part) return abandon(unexpected_answer(spec_.server_name));
  stream_->held = std::move(part.messages);
  stream_->begin = 0;
  stream_->more = part.flag;
  deliver();
}

/// What the consumer has credits for; then the next part is asked for, one at a time.
void remote_connection_impl::deliver() {
  while (stream_ && stream_->begin < stream_->held.size()) {
    const auto rest = std::string_view{stream_->held}.substr(stream_->begin);
    const auto frame = frame_pdu(rest, rest.size());
    if (frame.state != pdu_frame::status::complete) return abandon(unexpected_answer(spec_.server_name));
    const bool costs = frame.op == pdu_op::search_entry || frame.op == pdu_op::search_reference;
    if (costs && !stream_->flow.may_take(now())) return send_batch();
    if (!take_message(frame)) return;
  }
  if (!stream_) return;
  send_batch();
  if (!stream_->more) return abandon(unexpected_answer(spec_.server_name));
  if (stream_->asks || stream_->flow.credits() <= 0) return;
  request_frame next;
  next.kind = request_kind::next_part;
  ask_for_part(std::move(next));
}

/// False when it was the last one.
bool remote_connection_impl::take_message(const pdu_frame& frame) {
  auto& s = *stream_;
  const auto pdu = std::string_view{s.held}.substr(s.begin, frame.size);
  const auto& op = s.order.what->op;
  // Each is measured by itself.
  memory_allowance room{spec_.most_result_bytes};
  if (!answers_search(frame.op) || !decode_answer(pdu, frame.op, op, *s.answer, room)) {
    abandon(room.exceeded() ? failure_here(errc::result_too_large,
                                           "One entry takes more memory than limits.max_result_bytes (" +
                                               std::to_string(spec_.most_result_bytes) + "); ask for fewer attributes.")
                            : unexpected_answer(spec_.server_name));
    return false;
  }
  s.begin += frame.size;
  if (frame.op == pdu_op::intermediate_response) return true;
  if (is_part(frame.op)) {
    const auto cost = s.flow.took(spec_.most_result_bytes - room.left(), now());
    if (frame.op == pdu_op::search_reference) {
      s.reference_credits += cost;
    } else if (cost != 1) {
      s.entry_credits.resize(s.answer->entries.size() - 1, 1);
      s.entry_credits.push_back(cost);
    }
    return true;
  }
  send_batch();
  if (is_outcome(op, s.answer->code))
    end_stream(s.answer, nullptr);
  else
    end_stream(nullptr, make_failure(refusal_of(op, *s.answer)));
  return false;
}

void remote_connection_impl::send_batch() {
  auto& s = *stream_;
  auto batch = cut_batch(*s.answer);
  if (batch.size() == 0) return;
  batch.entry_credits = std::exchange(s.entry_credits, {});
  batch.reference_credits = std::exchange(s.reference_credits, 0);
  self_->send(caf::actor_cast<stream_consumer_actor>(s.consumer), batch_atom_v, s.number, std::move(batch));
}

void remote_connection_impl::end_stream(result_ptr answer, failure_ptr why) {
  const auto ended = std::move(stream_);
  self_->demonitor(ended->consumer->address());
  if (why)
    ended->asker.deliver(to_error(std::move(why)));
  else
    ended->asker.deliver(std::move(answer));
}

/// The node is told, if it can be.
void remote_connection_impl::abandon(failure_ptr why) {
  end_stream(nullptr, std::move(why));
  const auto to = router();
  if (closed_ || !to) return;
  request_frame order;
  order.kind = request_kind::cancel;
  self_->request(to, caf::infinite, perform_atom_v, request_to_node(std::move(order), now() + small_timeout))
      .then([](const answer_frame&) {}, [](const caf::error&) {});
}

}  // namespace

connection_actor spawn_remote_connection(caf::actor_system& system, remote_connection_spec spec) {
  return spawn_shell<connection_actor, remote_connection_impl>(system, std::move(spec));
}

}  // namespace understudy::internal
