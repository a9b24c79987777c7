// Bytes to requests, requests to the manager, answers to bytes.
#include "understudy/actors/http/http_actor.hpp"

#include "understudy/actors/client_socket/client_socket.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>

namespace understudy::internal {
namespace {

// As much as one request may have, and the beginning of the next.
constexpr std::size_t read_ahead = http_parser::most_head_bytes + http_parser::most_body_bytes;
constexpr seconds manager_patience{state_patience}, goodbye_patience{2};

class http_impl {
 public:
  static constexpr const char* name = "understudy.http";

  http_impl(http_actor::pointer self, http_dependencies with, std::shared_ptr<http_connection> connection);
  ~http_impl();
  http_actor::behavior_type make_behavior();

  void operator()(http_action::send& a) { socket_.append(std::move(a.bytes)); }
  void operator()(http_action::fetch& a);
  void operator()(http_action::obey& a);
  void operator()(const http_action::note_refusal& a) const;
  void operator()(const http_action::look_for_events& a);
  void operator()(http_action::close& a);

 private:
  void on_io(std::uint64_t id, std::uint32_t events);
  void on_tick(std::uint64_t timer);
  void carry_out();
  void finish_turn();
  void flush();
  void write();
  void arm();
  void answer(std::uint64_t number, const http_response& response);
  void find_server(const http_action::obey& a, const std::vector<routed_server>& servers);
  void note(const http_order& order, const http_response& outcome) const;
  void let_go(std::string_view why);
  void end(std::string_view why);
  time_point now() const { return with_.env->clock->now(); }

  http_actor::pointer self_;
  http_dependencies with_;
  std::shared_ptr<http_connection> connection_;
  http_session session_;
  client_socket socket_;
  handler_guard guard_;
  actor_timer timer_;
  bool lingers_ = false, ended_ = false;
  std::optional<std::string> closing_;
  time_point give_up_at_ = time_point::max();
};

http_response unavailable(const failure& why) { return plain_response(503, printable(why.message)); }

http_impl::http_impl(http_actor::pointer self, http_dependencies with, std::shared_ptr<http_connection> connection)
    : self_(self),
      with_(std::move(with)),
      connection_(std::move(connection)),
      session_(with_.rules, with_.env->clock->now()),
      socket_(with_.env->poller, connection_->fd, std::move(connection_->stream), self_->address()),
      guard_(*self_, with_.env, "http", [this] { end("a defect of ours"); }),
      timer_(with_.env->poller, self_->address()) {
  arm();
}

http_impl::~http_impl() {
  try {
    let_go("it was ended");
  } catch (...) {
    // Its descriptor goes all the same.
  }
}

http_actor::behavior_type http_impl::make_behavior() {
  return {
      [this](io_atom, std::uint64_t id, std::uint32_t events) { guard_.run([&] { on_io(id, events); }); },
      [this](tick_atom, std::uint64_t timer) { guard_.run([&] { on_tick(timer); }); },
      [this](flush_atom) { guard_.run([this] { flush(); }); },
      [this](close_atom) { guard_.run([this] { end("the endpoint closes"); }); },
  };
}

// ---- the socket ----

void http_impl::on_io(std::uint64_t id, std::uint32_t events) {
  const auto chance = socket_.on_io(id, events);
  if (chance.none || ended_) return;
  if (chance.writes) {
    write();
    if (ended_) return;
  }
  if (chance.reads && (!closing_ || lingers_)) {
    if (socket_.read(read_ahead) == client_socket::ending::closed) return end("the client closed the connection");
    if (lingers_) socket_.consume(socket_.received().size(), false);
  }
  carry_out();
}

void http_impl::on_tick(std::uint64_t timer) {
  if (!timer_.fired(timer) || ended_) return;
  if (now() >= give_up_at_) return end(closing_.value_or("it took no goodbye"));
  session_.tick(now());
  carry_out();
}

/// What was decided, and what of the received bytes can be read after that.
void http_impl::carry_out() {
  bool again = true;
  while (again && !ended_) {
    auto actions = session_.take_actions();
    for (auto& action : actions) std::visit(*this, action);
    again = !actions.empty();
    // One request at a time: the next one is read when this one's answer has been taken.
    if (ended_ || !session_.reads() || socket_.unsent() > 0 || socket_.received().empty()) continue;
    const auto used = session_.on_received(socket_.received(), now());
    socket_.consume(used, true);
    again = again || used > 0 || session_.has_actions();
  }
  finish_turn();
}

void http_impl::finish_turn() {
  if (ended_) return;
  with_.busy->store(session_.is_busy() && !session_.is_stream());
  if (socket_.needs_flush()) self_->send(self_, flush_atom_v);
  if (closing_ && !lingers_ && socket_.unsent() == 0 && !socket_.is_flush_due()) return end(*closing_);
  arm();
}

void http_impl::flush() {
  if (!socket_.begin_flush() || ended_) return;
  write();
  if (!ended_) carry_out();
}

void http_impl::write() {
  if (socket_.write() == client_socket::ending::closed) return end("the client closed the connection");
  session_.on_written(socket_.unsent());
  if (!socket_.is_blocked() && closing_ && !lingers_) end(*closing_);
}

void http_impl::arm() {
  if (ended_) return;
  if (socket_.arm((!closing_ || lingers_) && socket_.received().size() < read_ahead))
    self_->send(self_, io_atom_v, socket_.id(), poller_port::readable);
  timer_.arm(std::min(session_.next_event(), give_up_at_));
}

// ---- what the session decides ----

void http_impl::answer(std::uint64_t number, const http_response& response) {
  if (ended_) return;
  session_.answer(number, response, now());
  carry_out();
}

void http_impl::operator()(http_action::fetch& a) {
  // These say that the process answers, and what the page looks like, whatever the manager does.
  if (a.page.page == http_page::live || a.page.page == http_page::console)
    return session_.answer(a.number, with_.render(a.page, nullptr, nullptr), now());
  self_->request(with_.state, manager_patience, status_atom_v)
      .then(
          [this, a](runtime_snapshot& state) {
            guard_.run([&] {
              with_.complete(state);
              answer(a.number, with_.render(a.page, &state, nullptr));
            });
          },
          [this, a](const caf::error& e) {
            guard_.run([&] { answer(a.number, with_.render(a.page, nullptr, failure_of(e))); });
          });
}

void http_impl::operator()(http_action::obey& a) {
  if (a.order.what == http_order::kind::drain || a.order.what == http_order::kind::reload) {
    const auto& begin = a.order.what == http_order::kind::drain ? with_.drain : with_.reload;
    const auto why = begin ? begin() : make_failure(errc::invalid_request, stage::queue, "This is not taken here.");
    const auto outcome = why ? unavailable(*why) : plain_response(202, "begun");
    note(a.order, outcome);
    return session_.answer(a.number, outcome, now());
  }
  self_->request(with_.manager, manager_patience, servers_atom_v)
      .then([this, a](const std::vector<routed_server>& servers) { guard_.run([&] { find_server(a, servers); }); },
            [this, a](const caf::error& e) { guard_.run([&] { answer(a.number, unavailable(*failure_of(e))); }); });
}

void http_impl::find_server(const http_action::obey& a, const std::vector<routed_server>& servers) {
  const auto found = std::find_if(servers.begin(), servers.end(),
                                  [&](const routed_server& each) { return each.context->name == a.order.server; });
  if (found == servers.end()) {
    const auto outcome = plain_response(404, "there is no such server");
    note(a.order, outcome);
    return answer(a.number, outcome);
  }
  const auto done = [this, a](bool known) {
    guard_.run([&] {
      const auto outcome = known ? plain_response(200, "done") : plain_response(404, "there is no such server");
      self_->send(with_.state, reset_atom_v);  // who has given it may look at once
      note(a.order, outcome);
      answer(a.number, outcome);
    });
  };
  const auto failed = [this, a](const caf::error& e) {
    guard_.run([&] {
      const auto outcome = unavailable(*failure_of(e));
      note(a.order, outcome);
      answer(a.number, outcome);
    });
  };
  const auto id = found->context->id;
  if (a.order.what == http_order::kind::suspend)
    self_->request(with_.manager, manager_patience, suspend_atom_v, id, static_cast<std::uint32_t>(a.order.ttl.count()))
        .then(done, failed);
  else
    self_->request(with_.manager, manager_patience, resume_atom_v, id).then(done, failed);
}

void http_impl::operator()(const http_action::look_for_events& a) {
  auto latest = a.after;
  const auto text = with_.events(latest, a.details);
  session_.events(text, latest, now());
}

void http_impl::operator()(http_action::close& a) {
  closing_ = std::move(a.why);
  lingers_ = a.linger;
  // An answer that a slow line still takes has the time of every other.
  give_up_at_ = now() + (socket_.unsent() > 0 ? http_session::write_patience : goodbye_patience);
}

/// A token that is tried out is worth knowing of, and the log is not to be filled by it.
void http_impl::operator()(const http_action::note_refusal& a) const {
  const auto held_back = with_.refusals->pass(now());
  if (!held_back) return;
  log_port::fields more{{"client", connection_->address}, {"status", std::to_string(a.status)}};
  if (*held_back > 0) more.emplace_back("others", std::to_string(*held_back));
  with_.env->log->write(log_level::warning, "http", "refused an order: " + std::string{to_string(a.order)}, more);
}

/// Who ordered what: for whoever wonders afterwards.
void http_impl::note(const http_order& order, const http_response& outcome) const {
  log_port::fields more{{"client", connection_->address}, {"status", std::to_string(outcome.status)}};
  if (!order.server.empty()) more.emplace_back("server", printable(order.server));
  if (order.ttl > seconds{0}) more.emplace_back("ttl", config::format_span(order.ttl));
  with_.env->log->write(log_level::info, "http", "an operator ordered: " + std::string{to_string(order.what)}, more);
}

// ---- the end ----

void http_impl::end(std::string_view why) {
  if (ended_) return;
  let_go(why);
  self_->quit();
}

void http_impl::let_go(std::string_view why) {
  if (ended_) return;
  ended_ = true;
  timer_.disarm();
  socket_.close();
  if (with_.env->log->enabled(log_level::debug))
    with_.env->log->write(log_level::debug, "http", "a client has gone",
                          {{"client", connection_->address}, {"cause", printable(why)}});
  connection_->kept = nullptr;
  if (with_.on_end) std::exchange(with_.on_end, {})();
}

}  // namespace

http_actor spawn_http_client(caf::actor_system& system, http_dependencies with,
                             std::shared_ptr<http_connection> connection) {
  auto poller = with.env->poller;
  return spawn_shell_on_poller<http_actor, http_impl>(system, std::move(poller), std::move(with),
                                                      std::move(connection));
}

}  // namespace understudy::internal
