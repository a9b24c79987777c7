// The made-up world of a connection's state machine.
#include "connection/state_harness.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace understudy::test {
namespace {

constexpr std::size_t request_size = 10;

std::uint8_t answer_to(const request* order) {
  if (order == nullptr || std::holds_alternative<bind_request>(order->op)) return pdu_op::bind_response;
  if (std::holds_alternative<search_request>(order->op)) return pdu_op::search_done;
  return std::holds_alternative<modify_request>(order->op) ? pdu_op::modify_response : pdu_op::extended_response;
}

}  // namespace

// ---- the wire ----

bool made_up_wire::may_have_left(const request* order) const {
  return std::any_of(requests.begin(), requests.end(), [&](const auto& r) {
    return r.second.what == order && !r.second.discarded && r.second.begin < handed_;
  });
}

void made_up_wire::is_new(const request* order) {
  for (auto& [id, r] : requests)
    if (r.what == order) r.what = nullptr;
}

void made_up_wire::arrive(int id, std::uint8_t op, decoded_pdu pdu, result answer, std::size_t size) {
  arrival a;
  a.frame.state = pdu_frame::status::complete;
  a.frame.size = size;
  a.frame.id = id;
  a.frame.op = op;
  a.what = pdu;
  a.answer = std::move(answer);
  in_.push_back(std::move(a));
}

void made_up_wire::close(bool polite) {
  said_goodbye = is_up && polite;
  if (said_goodbye) write();
  is_up = false;
  in_.clear();
}

encoded_request made_up_wire::add(const request* order) {
  encoded_request e;
  e.id = ++last_id_;
  e.begin = appended_;
  e.size = request_size;
  requests[e.id] = {order, answer_to(order), appended_};
  appended_ += request_size;
  return e;
}

void made_up_wire::discard(std::uint64_t begin, std::size_t size) {
  BOOST_REQUIRE(begin >= handed_);
  appended_ -= size;
  for (auto& [id, r] : requests) {
    if (r.discarded) continue;
    if (r.begin == begin) r.discarded = true;
    if (r.begin > begin) r.begin -= size;
  }
}

decoded_pdu made_up_wire::decode(const pdu_frame& frame, const any_operation&, result& into, memory_allowance& room) {
  auto a = std::move(in_.front());
  in_.pop_front();
  if (!room.take(a.answer.messages.size())) return decoded_pdu::too_large;
  if (a.what == decoded_pdu::part) {
    for (auto& e : a.answer.entries) into.entries.push_back(std::move(e));
    into.messages += a.answer.messages;
  } else {
    into.code = a.answer.code;
    requests.at(frame.id).answered = true;
  }
  return a.what;
}

bool made_up_wire::decode_notification(const pdu_frame&, result& into) {
  into = in_.front().answer;
  in_.pop_front();
  return !into.response_oid.empty();
}

// ---- the world ----

state_harness::state_harness(connection_kind kind) : kind_(kind) {
  server.host = "ldap1";
  server.max_retries = 3;
  all.servers.resize(2);
}

connection_state& state_harness::state() {
  if (!state_) {
    connection_dependencies world{7,
                                  kind_,
                                  kind_ != connection_kind::probe,
                                  3,
                                  server_name,
                                  server,
                                  all,
                                  load,
                                  pace,
                                  std::make_shared<unanswered_requests>(),
                                  std::make_shared<retry_budget>(),
                                  may_repeat,
                                  [] { return wall_time{}; },
                                  make_random(1)};
    state_.emplace(std::move(world), wire, now);
  }
  return *state_;
}

void state_harness::turn(const std::function<void()>& body) {
  state().begin_turn(now);
  body();
  carry_out();
  state().finish_turn();
  carry_out();
}

void state_harness::carry_out() {
  while (state().has_actions()) {
    std::vector<connection_action::any> actions;
    state().take_actions(actions);
    on_actions(actions);
    for (auto& action : actions) std::visit([this](auto& a) { (*this)(a); }, action);
  }
}

void state_harness::operator()(connection_action::resolve&) {
  resolution found;
  found.addresses.push_back({2, "192.0.2.1", "192.0.2.1:389"});
  if (!addresses.empty()) {
    found = addresses.front();
    addresses.erase(addresses.begin());
  }
  state().on_resolved(std::move(found));
}

void state_harness::operator()(connection_action::deliver& a) {
  outcomes[a.to].push_back({told::kind::answer, a.answer, nullptr, {}, wire.may_have_left(asked.at(a.to).what.get())});
}

void state_harness::operator()(connection_action::refuse& a) {
  outcomes[a.to].push_back({told::kind::failure, nullptr, a.why, {}, wire.may_have_left(asked.at(a.to).what.get())});
}

void state_harness::operator()(connection_action::redispatch& a) {
  outcomes[a.to].push_back(
      {told::kind::sent_elsewhere, nullptr, a.order.last, a.order, wire.may_have_left(a.order.what.get())});
}

void state_harness::operator()(connection_action::part& a) {
  BOOST_TEST(a.number == a.of);
  BOOST_TEST(waits(a.of), "a part came behind the outcome");
  parts[a.of].push_back(std::move(a.what));
}

void state_harness::start() {
  turn([this] { state().start(); });
}

void state_harness::become_ready() {
  start();
  BOOST_REQUIRE(!dialled.empty());
  turn([this] {
    state().reached(dialled.size() - 1, ++sockets_);
    transport_action connected;
    connected.connected = true;
    state().on_transport(connected);
  });
  write();
  BOOST_REQUIRE(wire.requests.size() == 1u);
  answer_id(1);
  BOOST_REQUIRE(!events.empty());
  BOOST_REQUIRE(events.back().what == connection_event::kind::ready);
}

reply_id state_harness::ask(request_ptr request, duration limit, lease_id lease) {
  call c;
  c.what = std::move(request);
  c.deadline = now + limit;
  c.token = std::make_shared<cancel_token>();
  c.generation = 5;
  return ask(std::move(c), lease);
}

reply_id state_harness::ask(call order, lease_id lease, const std::optional<stream_terms>& terms) {
  const auto reply = ++last_reply_;
  wire.is_new(order.what.get());
  asked[reply] = order;
  turn([&] { state().accept(std::move(order), lease, reply, terms); });
  return reply;
}

reply_id state_harness::stream(request_ptr request, lease_id lease, std::uint32_t credits) {
  call c;
  c.what = std::move(request);
  c.deadline = now + seconds{30};
  return ask(std::move(c), lease, stream_terms{9, credits, true});
}

reply_id state_harness::relay(duration limit, std::uint16_t attempts) {
  call c;
  c.what = some_relayed_search();
  c.deadline = now + limit;
  c.token = std::make_shared<cancel_token>();
  c.attempts = attempts;
  c.parts = last_reply_ + 1;
  return ask(std::move(c));
}

void state_harness::part_of(reply_id reply, std::size_t bytes) {
  result answer;
  answer.messages.assign(bytes, 'm');
  wire.arrive(id_of(reply), pdu_op::search_entry, decoded_pdu::part, std::move(answer));
  transport_action received;
  received.received = true;
  turn([&] { state().on_transport(received); });
}

void state_harness::pass_on(reply_id reply, std::size_t bytes) {
  turn([&] { state().passed_on(id_of(reply), bytes); });
}

reply_id state_harness::check(duration limit) {
  const auto reply = ++last_reply_;
  turn([&] { state().on_check(now + limit, reply); });
  return reply;
}

int state_harness::id_of(reply_id reply) const {
  const auto* what = asked.at(reply).what.get();
  for (const auto& [id, r] : wire.requests)
    if (r.what == what) return id;
  return 0;
}

void state_harness::answer_id(int id, int code) {
  result answer;
  answer.code = code;
  wire.arrive(id, wire.requests.at(id).answer_op, decoded_pdu::complete, std::move(answer));
  transport_action received;
  received.received = true;
  turn([&] { state().on_transport(received); });
}

void state_harness::say_goodbye() {
  result notice;
  notice.code = result_code::unavailable;
  notice.response_oid = "1.3.6.1.4.1.1466.20036";
  wire.arrive(0, pdu_op::extended_response, decoded_pdu::complete, std::move(notice));
  transport_action received;
  received.received = true;
  turn([&] { state().on_transport(received); });
}

void state_harness::end(bool orderly) {
  transport_action ended;
  ended.orderly = orderly;
  ended.ended = make_failure(errc::connection_failed, stage::operation, "the server closed the connection");
  turn([&] { state().on_transport(ended); });
}

void state_harness::pass(duration span) {
  const auto until = now + span;
  for (int rounds = 0; state().next_event() <= until; ++rounds) {
    BOOST_REQUIRE_MESSAGE(rounds < 10000, "the state machine wakes itself for ever");
    now = std::max(now, state().next_event());
    turn([this] { state().tick(); });
  }
  now = until;
}

const told& state_harness::outcome(reply_id reply) const {
  const auto found = outcomes.find(reply);
  BOOST_REQUIRE_MESSAGE(found != outcomes.end(), "nothing was said to " << reply);
  BOOST_REQUIRE(found->second.size() == 1u);
  return found->second.front();
}

errc state_harness::code(reply_id reply) const {
  const auto& t = outcome(reply);
  BOOST_REQUIRE(t.what == told::kind::failure);
  return t.why->code;
}

request_ptr some_search(int number) {
  search_request what;
  what.base = "dc=" + std::to_string(number);
  return make_request(std::move(what));
}

request_ptr some_write(int number) {
  modify_request what;
  what.dn = "cn=" + std::to_string(number);
  what.changes.push_back({modification::kind::replace, {"mail", {"a@example.com"}}});
  return make_request(std::move(what));
}

request_ptr some_relayed_search(int number) {
  opaque_request what;
  what.protocol_op = {static_cast<char>(opaque_request::search), 2, 4, 0};
  what.message_id = number;
  return make_request(std::move(what));
}

request_ptr some_bind() { return make_request(bind_request{"cn=user", secret{"password"}}); }

}  // namespace understudy::test
