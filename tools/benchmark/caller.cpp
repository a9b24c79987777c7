// The caller as an event-based actor.
#include "caller.hpp"

#include "our_settings.hpp"

#include "understudy/actors/ports/poller_actor.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/runtime/client/node_targets.hpp"
#include "understudy/runtime/runtime.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <thread>

namespace understudy::benchmark {

using namespace internal;

search_request search_for(std::uint64_t turn) {
  search_request what;
  what.base = base_dn;
  what.filter = scattered_filter(turn);
  what.attributes = {"mail"};
  return what;
}

namespace {

struct caller_state {
  static inline const char* name = "caller";
  explicit caller_state(caf::event_based_actor*) {}
  std::uint64_t turn = 0;
  std::size_t open = 0;
  bool relays = false;
};
using caller_pointer = caf::stateful_actor<caller_state>*;

/// The same search as it comes from another client, as bytes.
opaque_request relayed_search_for(std::uint64_t turn) {
  const auto filter = scattered_filter(turn);  // (name=value)
  const auto equals = filter.find('=');
  const auto name = filter.substr(1, equals - 1), value = filter.substr(equals + 1, filter.size() - equals - 2);
  opaque_request what;
  what.protocol_op = ber_element(
      opaque_request::search,
      ber_octets(base_dn) + ber_integer(2, ber_tag::enumerated) + ber_integer(0, ber_tag::enumerated) + ber_integer(0) +
          ber_integer(0) + ber_element(ber_tag::boolean, std::string_view{"\0", 1}) +
          ber_element(0xa3, ber_octets(name) + ber_octets(value)) + ber_element(ber_tag::sequence, ber_octets("mail")));
  what.message_id = static_cast<std::int32_t>(turn % 1'000'000) + 1;
  return what;
}

void ask(caller_pointer self, const circuit_breaker_actor& router, meter& m, std::promise<void>* ended) {
  call request;
  const auto turn = self->state.turn++;
  request.what = self->state.relays ? make_request(relayed_search_for(turn)) : make_request(search_for(turn));
  const auto since = clock::now();
  request.deadline = since + answer_patience;
  const auto answered = [=, &m](bool good) {
    if (!good) m.failed();
    m.done(since);
    if (!m.over()) return ask(self, router, m, ended);
    if (--self->state.open > 0) return;
    ended->set_value();
    self->quit();
  };
  // Every request is answered at its deadline at the latest: no second timer is needed.
  self->request(router, caf::infinite, perform_atom_v, std::move(request))
      .then([=](const result_ptr& found) { answered(!found->entries.empty() || !found->messages.empty()); },
            [=](const caf::error&) { answered(false); });
}

}  // namespace

int run_until_ended(meter& m, const arguments& given, std::promise<void>& ended) {
  m.run(given.real("warmup", 0.2), given.real("seconds", 1));
  if (ended.get_future().wait_for(answer_patience) != std::future_status::ready)
    throw std::runtime_error("our_client: requests were left without an answer");
  m.print();
  return 0;
}

int run_caller(meter& m, const arguments& given) {
  const auto wanted = static_cast<std::size_t>(given.number("connections", 1));
  runtime_options how;
  how.threads = static_cast<std::size_t>(given.number("scheduler_threads", 0));
  auto all = settings_from(given);
  if (const auto node = given.text("node"); !node.empty()) {
    how.nodes = remote_nodes{{"127.0.0.1:" + node}};
    if (const auto cert = given.text("cert"); !cert.empty()) how.nodes->tls = node_tls{cert, cert, given.text("key")};
    all.servers = stand_ins_for(*how.nodes);
  }
  runtime directory(std::make_shared<const settings>(std::move(all)), std::move(how));
  const auto ready = [&] {
    const auto state = directory.snapshot();
    if (!state) return false;
    for (const auto& s : state.value->servers)
      if (s.pool.now.idle + s.pool.now.in_use < wanted) return false;
    return true;
  };
  const auto until = clock::now() + answer_patience;
  while (!ready()) {
    if (clock::now() > until) throw std::runtime_error("our_client: not all connections became ready");
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  std::promise<void> ended;
  const auto window = static_cast<std::size_t>(given.number("window", 64));
  const bool relays = given.number("relayed", 0) != 0;
  auto body = [&, window, relays](caller_pointer self) {
    self->state.relays = relays;
    self->state.open = window;
    for (std::size_t i = 0; i < window; ++i) ask(self, directory.router(), m, &ended);
  };
  if (given.number("on_poller", 1) != 0)
    spawn_on_poller(directory.system(), directory.env()->poller, body);
  else
    directory.system().spawn(body);
  return run_until_ended(m, given, ended);
}

}  // namespace understudy::benchmark
