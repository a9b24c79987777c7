// Nodes, callers and peers of tests: see test_node.hpp.
#include "runtime/test_node.hpp"
#include "runtime/basp_bytes.hpp"
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/runtime/platform/resolver.hpp"
#include "understudy/runtime/platform/system_clock.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <poll.h>
#include <boost/test/unit_test.hpp>

#include <future>

namespace understudy::test {

using namespace internal;
using namespace std::chrono_literals;

void noted_log::write(log_level level, std::string_view, std::string_view text, const fields& more) {
  std::string line{level == log_level::warning ? "warning: " : ""};
  line += text;
  for (const auto& [key, value] : more) line += ' ' + std::string{key} + '=' + value;
  const std::lock_guard lock{mutex_};
  lines_.push_back(std::move(line));
}

bool noted_log::says(const std::string& part) const {
  const std::lock_guard lock{mutex_};
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const auto& line) { return line.find(part) != std::string::npos; });
}

std::string noted_log::all() const {
  const std::lock_guard lock{mutex_};
  std::string text;
  for (const auto& line : lines_) text += line + '\n';
  return text;
}

const certificate_set& node_certificates() {
  static const certificate_set made;
  return made;
}

const certificate_files& caller_certificate() {
  static const auto made = [] {
    auto set = node_certificates().ca;
    return set.issue("caller", {"caller", {"client.example"}, {}, std::chrono::hours{-24}, std::chrono::hours{24}});
  }();
  return made;
}

node_listener_options secured_listener(node_permission permission) {
  const auto& known = node_certificates();
  node_listener_options options;
  options.address = "127.0.0.1:0";
  options.permission = permission;
  options.tls =
      server_certificates{{known.server.certificate, known.server.key, known.ca.certificate(), {}}, tls_version::v1_3};
  return options;
}

dialling_certificates caller_certificates(const certificate_files& shown) {
  return {{shown.certificate, shown.key, node_certificates().ca.certificate(), {}}};
}

// ---- a node ----

struct test_node::gateway_state {
  std::mutex mutex;
  std::vector<std::string> asked;
  std::vector<caf::typed_response_promise<std::string>> held;
};

namespace {

std::string told_of(const node_links& links, const caf::strong_actor_ptr& sender) {
  const auto peer = links.find(sender);
  return peer ? peer->name + ' ' + std::string{to_string(peer->permission)} : "nobody";
}

}  // namespace

test_node::test_node(node_links_options options, duration heartbeat)
    : config_(heartbeat), system(config_), poller(std::make_shared<epoll_poller>(system)) {
  links.emplace(system, env, std::move(options));
  state = std::make_shared<gateway_state>();
  gateway = system.spawn([known = state, this](node_gateway_actor::pointer self) -> node_gateway_actor::behavior_type {
    return {[known, this, self](std::string& text) -> caf::result<std::string> {
      const std::lock_guard lock{known->mutex};
      known->asked.push_back(text);
      if (text == "who") return told_of(*links, self->current_sender());
      if (text.rfind("big ", 0) == 0) return std::string(std::stoul(text.substr(4)), 'b');
      if (text != "hold") return std::move(text);
      known->held.push_back(self->make_response_promise<std::string>());
      return known->held.back();
    }};
  });
}

test_node::~test_node() {
  BOOST_TEST(links->close(5s), "links are left");
  release();
  end_gateway();
  links.reset();
  poller->stop();
  workers->stop(2s);
}

environment_ptr test_node::make_environment() {
  auto made = std::make_shared<environment>();
  made->clock = std::make_shared<internal::system_clock>();
  made->poller = poller;
  made->workers = workers;
  made->log = log;
  made->resolver = std::make_shared<name_resolver>(system, made->clock, poller, workers);
  return made;
}

std::uint16_t test_node::listen(node_listener_options options) {
  return port_of(links->listen(std::move(options), caf::actor_cast<caf::strong_actor_ptr>(gateway)));
}

std::vector<std::string> test_node::asked() const {
  const std::lock_guard lock{state->mutex};
  return state->asked;
}

std::size_t test_node::release() {
  const std::lock_guard lock{state->mutex};
  for (auto& each : state->held) each.deliver(std::string{"released"});
  return std::exchange(state->held, {}).size();
}

void test_node::end_gateway() {
  if (gateway) caf::anon_send_exit(gateway, caf::exit_reason::kill);
  gateway = nullptr;
}

// ---- a caller ----

struct test_caller::shared {
  mutable std::mutex mutex;
  std::condition_variable changed;
  node_gateway_actor gateway;
  node_peer peer;
  std::string unreachable, why_lost;
  int links = 0, lost = 0;
};

test_caller::test_caller(test_node& from, std::vector<std::uint16_t> ports, std::optional<dialling_certificates> tls)
    : from_(from),
      shared_(std::make_shared<shared>()),
      connector_(from.system, from.env, *from.links,
                 [&] {
                   node_connector_options options;
                   for (const auto port : ports) options.nodes.push_back({"127.0.0.1", port});
                   options.tls = std::move(tls);
                   options.dial_timeout = 2s;
                   options.first_pause = 20ms;
                   options.longest_pause = 100ms;
                   return options;
                 }(),
                 {[s = shared_](node_gateway_actor gateway, node_peer peer, time_point) {
                    const std::lock_guard lock{s->mutex};
                    s->gateway = std::move(gateway);
                    s->peer = std::move(peer);
                    ++s->links;
                    s->changed.notify_all();
                  },
                  [s = shared_](failure_ptr why) {
                    const std::lock_guard lock{s->mutex};
                    s->gateway = nullptr;
                    s->why_lost = describe(*why);
                    ++s->lost;
                    s->changed.notify_all();
                  },
                  [s = shared_](failure_ptr why) {
                    const std::lock_guard lock{s->mutex};
                    if (s->unreachable.empty()) s->unreachable = describe(*why);
                    s->changed.notify_all();
                  }}) {}

template <class Condition>
bool test_caller::wait(milliseconds limit, Condition condition) const {
  std::unique_lock lock{shared_->mutex};
  return shared_->changed.wait_for(lock, limit, [&] { return condition(*shared_); });
}

bool test_caller::linked(milliseconds limit) const {
  return wait(limit, [](const shared& s) { return static_cast<bool>(s.gateway); });
}

bool test_caller::lost(int count, milliseconds limit) const {
  return wait(limit, [count](const shared& s) { return s.lost >= count; });
}

std::string test_caller::unreachable(milliseconds limit) const {
  wait(limit, [](const shared& s) { return !s.unreachable.empty(); });
  const std::lock_guard lock{shared_->mutex};
  return shared_->unreachable;
}

std::string test_caller::why_lost() const {
  const std::lock_guard lock{shared_->mutex};
  return shared_->why_lost;
}

node_gateway_actor test_caller::gateway() const {
  const std::lock_guard lock{shared_->mutex};
  return shared_->gateway;
}

node_peer test_caller::peer() const {
  const std::lock_guard lock{shared_->mutex};
  return shared_->peer;
}

int test_caller::links() const {
  const std::lock_guard lock{shared_->mutex};
  return shared_->links;
}

std::string test_caller::ask(std::string text, milliseconds limit) const {
  BOOST_TEST_REQUIRE(linked(), "no link: " + unreachable(0ms));
  return test::ask(from_.system, gateway(), std::move(text), limit);
}

std::string ask(caf::actor_system& system, const node_gateway_actor& gateway, std::string text, milliseconds limit) {
  std::string result;
  caf::scoped_actor self{system};
  self->request(gateway, limit, std::move(text))
      .receive(
          [&](std::string& answer) { result = std::move(answer); },
          [&](const caf::error& why) { result = "error: " + system.render(why) + ' ' + describe(*failure_of(why)); });
  return result;
}

// ---- a peer that speaks bytes ----

byte_peer::byte_peer(test_node& at, std::uint16_t port, const certificate_files& shown) {
  dialler out{at.system, at.env};
  std::promise<dial_result> told;
  dial_options to;
  to.host = "127.0.0.1";
  to.port = port;
  to.tls = caller_certificates(shown);
  out.dial(std::move(to), [&](dial_result result) { told.set_value(std::move(result)); });
  auto result = told.get_future().get();
  BOOST_REQUIRE_MESSAGE(result.peer, (result.error ? describe(*result.error) : ""));
  peer_ = std::move(*result.peer);
}

bool byte_peer::wait_for(short events, milliseconds limit) const {
  pollfd one{socket(), events, 0};
  return ::poll(&one, 1, static_cast<int>(limit.count())) == 1;
}

bool byte_peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, peer_.stream->largest_write());
    const auto step = peer_.stream->write(part.data(), part.size());
    if (step.what == byte_stream_result::kind::done) {
      bytes.remove_prefix(step.bytes);
    } else if (step.what != byte_stream_result::kind::want_write || !wait_for(POLLOUT, patience)) {
      return false;
    }
  }
  return true;
}

std::string byte_peer::receive(std::size_t least, milliseconds limit) {
  std::string all;
  char bytes[16 * 1024];
  while (all.size() < least) {
    const auto step = peer_.stream->read(bytes, sizeof bytes);
    if (step.what == byte_stream_result::kind::done) {
      all.append(bytes, step.bytes);
    } else if (step.what != byte_stream_result::kind::want_read || !wait_for(POLLIN, limit)) {
      return all;
    }
  }
  return all;
}

bool byte_peer::ended(milliseconds limit) {
  char bytes[16 * 1024];
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto step = peer_.stream->read(bytes, sizeof bytes);
    if (step.what == byte_stream_result::kind::done) continue;
    if (step.what != byte_stream_result::kind::want_read) return true;
    const auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    if (left <= 0ms || !wait_for(POLLIN, left)) return false;
  }
}

bool byte_peer::shake(const std::string& node) {
  basp::parts hello;
  hello.operation = basp::client_handshake;
  hello.source = hello.destination = 0;
  hello.payload = node;
  return !receive(32).empty() && send(basp::bytes_of(hello));
}

std::string made_up_node(caf::actor_system& system, std::uint32_t number) {
  return node_bytes(system, *caf::make_node_id(number, "0102030405060708090a0b0c0d0e0f1011121314"));
}

}  // namespace understudy::test
