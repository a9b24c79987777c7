// A streaming search of a lease's holder: batches to its consumer, credits back, and a server that has to wait for
// them.
#include "understudy/actors/connection/connection.hpp"

#include <caf/send.hpp>

namespace understudy {

/// Of whoever sent the message that is just handled.
connection::stream_ptr connection::make_stream(std::uint64_t number, std::uint32_t credits) const {
  return std::make_shared<open_stream>(
      open_stream{number, self_->current_sender(), stream_flow{credits, most_result_bytes(), now_}});
}

/// What a stream may not be.
failure_ptr connection::stream_refusal(const held_call& one) const {
  if (!std::holds_alternative<search_request>(one.order.what->op)) {
    return connection_failure(errc::invalid_request, "Only a search can be streamed.");
  }
  if (one.lease == 0) return connection_failure(errc::invalid_lease, "A streaming search needs a lease.");
  if (!one.stream->consumer) {
    return connection_failure(errc::invalid_request,
                              "A streaming search without a sender has nobody to send entries to.");
  }
  return nullptr;
}

void connection::open(stream_ptr stream) {
  stream_ = std::move(stream);
  self_->monitor(stream_->consumer->address());
}

/// False: it stays where it is, and so does all that comes behind it, until there is a credit.
bool connection::may_take(table::item& one, const pdu_frame& frame) {
  auto& stream = *one.ticket.stream;
  if (!stream.first_heard) stream.first_heard = now_ - one.started;
  const bool costs = frame.op == pdu_op::search_entry || frame.op == pdu_op::search_reference;
  if (!costs) {
    stream.flow.heard(now_);
    return true;
  }
  const bool may = stream.flow.may_take(now_);
  bytes_.hold_reading(!may);
  // Each is measured by itself.
  if (may) one.room = memory_allowance{most_result_bytes()};
  return may;
}

void connection::took(table::item& one, const pdu_frame& frame) {
  if (frame.op != pdu_op::search_entry && frame.op != pdu_op::search_reference) return;
  auto& stream = *one.ticket.stream;
  const auto cost = stream.flow.took(most_result_bytes() - one.room.left(), now_);
  if (frame.op == pdu_op::search_reference) {
    stream.reference_credits += cost;
  } else if (cost != 1) {
    stream.entry_credits.resize(stream.answer->entries.size() - 1, 1);
    stream.entry_credits.push_back(cost);
  }
}

/// What one turn gathered, together.
void connection::deliver_batch() {
  if (!stream_) return;
  auto batch = cut_batch(*stream_->answer);
  if (batch.size() == 0) return;
  batch.entry_credits = std::exchange(stream_->entry_credits, {});
  batch.reference_credits = std::exchange(stream_->reference_credits, 0);
  caf::anon_send(caf::actor_cast<stream_consumer_actor>(stream_->consumer), batch_atom_v, stream_->number,
                 std::move(batch));
}

void connection::on_credit(lease_id lease, std::uint64_t number, std::uint32_t more) {
  if (!stream_ || lease != lease_ || number != stream_->number || !stream_->flow.grant(more, now_)) return;
  bytes_.hold_reading(false);
  last_heard_ = now_;
  wake_by(now_ + std::min(all_.breaker.suspect_after, all_.breaker.slow_call));
  // What is here goes first: reading before that would let the buffer grow with every credit.
  read_answers();
  if (!bytes_.reading_held() && io_ != 0) self_->send(self_, io_atom_v, io_, transport::readable);
}

void connection::consumer_ended(const caf::actor_addr& who) {
  if (!stream_ || stream_->consumer->address() != who) return;
  const auto gone = connection_failure(errc::cancelled, "The consumer of the streaming search ended.");
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (at->stream != stream_) continue;
    settle(*at, gone);
    held_.erase(at);
    break;
  }
  for (const int id : open_.ids([](const table::item& one) { return one.ticket.stream != nullptr; })) {
    auto one = take_back(id);
    settle(one, gone);
  }
  close_when_empty();
}

/// Its outcome is about to be delivered: nothing of it comes later than that.
void connection::close(const stream_ptr& stream) {
  if (stream != stream_) return;
  deliver_batch();
  // CAF forgets who watches an actor only when that ends, and a consumer may have many streams.
  self_->demonitor(stream_->consumer->address());
  const bool held = bytes_.reading_held();
  stream_ = nullptr;
  if (!held) return;
  // What the server still has of it is read and dropped, or nothing else would ever arrive.
  bytes_.hold_reading(false);
  last_heard_ = now_;
  if (io_ != 0) self_->send(self_, io_atom_v, io_, transport::readable);
}

/// How long the server has let it wait.
duration connection::unanswered(const table::item& one) const {
  return one.ticket.stream ? one.ticket.stream->flow.silence(now_) : now_ - one.started;
}

}  // namespace understudy
