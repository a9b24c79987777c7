// One actor asks another one of another process, over plain BASP.
#include "echo_caller.hpp"

#include "caller.hpp"

#include "understudy/actors/node/remote_operation.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>

namespace understudy::benchmark {

using namespace internal;
namespace {

/// The bytes of a search as it crosses to a node.
std::string search_in_a_frame() {
  auto frame = remote_request_of(*make_request(search_for(0))).frame;
  frame.number = 100'000;
  frame.left = answer_patience;
  return encode(frame);
}

struct echo_state {
  std::size_t open = 0;
  std::string text;
};

void ask(caf::event_based_actor* self, const std::shared_ptr<echo_state>& state, const caf::actor& echo, meter& m,
         std::promise<void>* ended) {
  const auto since = clock::now();
  const auto answered = [=, &m](bool good) {
    if (!good) m.failed();
    m.done(since);
    if (!m.over()) return ask(self, state, echo, m, ended);
    if (--state->open > 0) return;
    ended->set_value();
    self->quit();
  };
  self->request(echo, caf::infinite, state->text)
      .then([=](const std::string& back) { answered(back.size() == state->text.size()); },
            [=](const caf::error&) { answered(false); });
}

}  // namespace

int run_echo_caller(meter& m, const arguments& given) {
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  const auto echo = system.middleman().remote_actor("127.0.0.1", static_cast<std::uint16_t>(given.number("echo", 0)));
  if (!echo) throw std::runtime_error("our_client: no echo: " + system.render(echo.error()));
  std::promise<void> ended;
  const auto state = std::make_shared<echo_state>();
  state->open = static_cast<std::size_t>(given.number("window", 64));
  state->text = search_in_a_frame();
  system.spawn([&](caf::event_based_actor* self) {
    for (std::size_t i = 0, all = state->open; i < all; ++i) ask(self, state, *echo, m, &ended);
  });
  return run_until_ended(m, given, ended);
}

}  // namespace understudy::benchmark
