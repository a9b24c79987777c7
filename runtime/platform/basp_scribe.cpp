// A link as a stream of CAF's multiplexer: see basp_scribe.hpp.
#include "understudy/runtime/platform/basp_scribe.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/send.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

namespace understudy::internal {
namespace {

using caf::io::network::rw_state;

// An error is a code and at most a line.
constexpr std::uint32_t longest_error = 1024;
// Of a buffer that is not in use.
constexpr std::size_t kept_capacity = 64 * 1024;
// BASP publishes by port. There is one gateway, and nobody listens at this number.
constexpr std::uint16_t gateway_port = 1;
// CAF's workers need a moment for what came last; whoever waits for longer waits for what will not come.
constexpr seconds forgotten_within{5};

/// CAF numbers its connections by their descriptor, which is soon another connection's: messages are lost then. In one
/// process, so that it does not matter how many runtimes share an actor system.
caf::io::connection_handle next_handle() {
  static std::atomic<std::int64_t> last{std::int64_t{1} << 40};
  return caf::io::connection_handle::from_int(++last);
}

/// How CAF's stream reads and writes.
class link_policy {
 public:
  explicit link_policy(node_link_ptr link) : link_(std::move(link)) {}
  rw_state read_some(std::size_t& moved, caf::io::network::native_socket, void* to, std::size_t room) {
    return link_->read(static_cast<char*>(to), room, moved) ? rw_state::success : rw_state::failure;
  }
  rw_state write_some(std::size_t& moved, caf::io::network::native_socket, const void* from, std::size_t size) {
    return link_->write(static_cast<const char*>(from), size, moved) ? rw_state::success : rw_state::failure;
  }
  /// No readiness of the socket tells of bytes that were read already.
  bool must_read_more(caf::io::network::native_socket, std::size_t) const { return link_->holds_bytes(); }

 private:
  node_link_ptr link_;
};

/// Its destructor is the one end of a link: CAF, which counts references, has let go of it then.
class link_scribe final : public caf::io::scribe {
 public:
  link_scribe(caf::io::network::default_multiplexer& multiplexer, int socket, node_link_ptr link,
              link_end_handler on_end)
      : caf::io::scribe(next_handle()),
        link_(std::move(link)),
        on_end_(std::move(on_end)),
        stream_(std::in_place, multiplexer, socket, link_policy{link_}) {
    stream_->ack_writes(true);
  }
  ~link_scribe() override {
    link_->finish();
    stream_.reset();
    on_end_(link_, hdl());
  }

  void configure_read(caf::io::receive_policy::config config) override {
    stream_->configure_read(config);
    if (!std::exchange(launched_, true)) stream_->start(this);
  }
  /// The link is told, and nobody else.
  void ack_writes(bool) override {}
  void data_transferred(caf::execution_unit*, std::size_t written, std::size_t left) override {
    if (written > 0) link_->peer_took(left);
    written_ += written;
    if (left > 0) return;
    // CAF has two buffers that take turns and only grow: what was a large one for once is not kept for good.
    auto& buffer = stream_->wr_buf();
    if (buffer.capacity() > std::max(kept_capacity, 2 * std::exchange(written_, 0))) std::vector<char>{}.swap(buffer);
  }
  std::vector<char>& wr_buf() override { return stream_->wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_->rd_buf(); }
  void graceful_shutdown() override {
    stream_->graceful_shutdown();
    detach(&stream_->backend(), false);
  }
  /// CAF buffers without bound: whoever does not read is cut off.
  void flush() override {
    if (stream_->wr_buf().size() > link_->limits().most_unsent) link_->cut("the peer does not take what is sent to it");
    if (link_->has_ended()) std::vector<char>{}.swap(stream_->wr_buf());
    if (!stream_->wr_buf().empty()) link_->waits_for_peer();
    stream_->flush(this);
  }
  std::string addr() const override { return link_->peer().address; }
  std::uint16_t port() const override { return gateway_port; }
  void add_to_loop() override { stream_->activate(this); }
  void remove_from_loop() override { stream_->passivate(); }

 private:
  const node_link_ptr link_;
  const link_end_handler on_end_;
  bool launched_ = false;
  std::size_t written_ = 0;  // since both buffers were empty
  std::optional<caf::io::network::stream_impl<link_policy>> stream_;
};

template <class T>
std::string signature_of(caf::actor_system& system, T value) {
  return "@<>+" + system.types().portable_name(caf::make_message(std::move(value)).type(0));
}

caf::io::network::default_multiplexer& multiplexer_of(caf::actor_system& system) {
  return static_cast<caf::io::network::default_multiplexer&>(system.middleman().backend());
}

/// CAF's own is of the machine's MAC addresses, the process id and a counter of 8 bits: the 257th actor system of a
/// process has that of the first, and containers may share all of it. Two nodes of one id take each other's links.
caf::node_id drawn_node_id() {
  caf::node_id::default_data::host_id_type host{};
  std::random_device source;
  do
    for (auto& each : host) each = static_cast<std::uint8_t>(source());
  while (!caf::node_id::default_data::valid(host));
  return caf::make_node_id(static_cast<std::uint32_t>(::getpid()), host);
}

/// What has to be done at certain moments of an actor system's life, which modules are told of.
class node_module : public caf::actor_system::module {
 public:
  explicit node_module(caf::actor_system& system) : system_(system) {}
  /// CAF's broker ends with its mailbox open (0.17.6, abstract_broker::cleanup): a heartbeat that its clock sends in
  /// that moment is from the broker to itself, stays there, and both are kept for ever. Now nobody sends any more.
  ~node_module() override {
    auto* broker = caf::actor_cast<caf::abstract_actor*>(broker_);
    if (broker == nullptr || !broker->getf(caf::abstract_actor::is_cleaned_up_flag)) return;
    static_cast<caf::io::basp_broker*>(broker)->caf::scheduled_actor::cleanup(caf::exit_reason::user_shutdown, nullptr);
  }
  /// CAF starts it after the middleman and stops it before.
  void start() override { broker_ = caf::actor_cast<caf::strong_actor_ptr>(basp_broker_of(system_)); }
  void stop() override {}
  /// CAF has set its own id, and no actor has been made.
  void init(caf::actor_system_config&) override { const_cast<caf::node_id&>(system_.node()) = drawn_node_id(); }
  /// Of a module that is not used here.
  id_t id() const override { return opencl_manager; }
  void* subtype_ptr() override { return this; }

 private:
  caf::actor_system& system_;
  caf::strong_actor_ptr broker_;
};

}  // namespace

void configure_nodes(caf::actor_system_config& config, duration heartbeat) {
  config.load<caf::io::middleman>();
  config.module_factories.emplace_back(
      [](caf::actor_system& system) -> caf::actor_system::module* { return new node_module{system}; });
  // Never middleman.connection-timeout: it may end a link while its handshake is under way. Its links look at the clock
  // themselves.
  config.set("middleman.heartbeat-interval", caf::timespan{heartbeat});
  // Nobody spawns actors from afar or asks CAF to dial: no threads for those who would do it.
  config.set("middleman.attach-utility-actors", true);
}

bool has_nodes(const caf::actor_system& system) { return system.has_middleman(); }

std::shared_ptr<const basp_rules> node_rules(caf::actor_system& system, std::size_t longest) {
  auto rules = std::make_shared<basp_rules>();
  const auto text = signature_of(system, std::string{});
  rules->longest_message = static_cast<std::uint32_t>(longest) + basp_beside_text;
  rules->requests = {{text, rules->longest_message}};
  rules->answers = {{text, rules->longest_message}, {signature_of(system, caf::error{}), longest_error}};
  return rules;
}

std::string node_bytes(caf::actor_system& system, const caf::node_id& node) {
  std::vector<char> bytes;
  caf::binary_serializer out{system, bytes};
  if (out(node)) return {};
  return {bytes.begin(), bytes.end()};
}

caf::io::scribe_ptr make_scribe(caf::actor_system& system, node_link_ptr link, link_end_handler on_end) {
  // CAF closes its own, whenever that is; the link's stays good for the TLS session and for cut().
  descriptor own{::fcntl(link->socket(), F_DUPFD_CLOEXEC, 0), "fcntl(F_DUPFD_CLOEXEC)"};
  auto made = caf::make_counted<link_scribe>(multiplexer_of(system), own.get(), std::move(link), std::move(on_end));
  own.release();
  return made;
}

void serve_link(caf::actor_system& system, caf::io::scribe_ptr scribe, caf::strong_actor_ptr gateway) {
  caf::anon_send(basp_broker_of(system), caf::publish_atom_v, std::move(scribe), gateway_port, std::move(gateway),
                 std::set<std::string>{});
}

caf::actor basp_broker_of(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
}

namespace {

/// CAF takes a link out of its table when its workers are through with what came by it, which nobody is told of. It
/// runs on the multiplexer's thread, between other events.
struct forgetting {
  caf::io::network::default_multiplexer* multiplexer = nullptr;
  caf::actor broker;
  caf::node_id node;
  caf::io::connection_handle ended;
  std::shared_ptr<const void> claim;
  std::chrono::steady_clock::time_point until{};

  void operator()() const {
    auto& basp = *static_cast<caf::io::basp_broker*>(caf::actor_cast<caf::abstract_actor*>(broker));
    if (basp.getf(caf::abstract_actor::is_terminated_flag)) return;
    const auto route = basp.instance.tbl().lookup_direct(node);
    if (route && *route != ended) return;
    if (route && std::chrono::steady_clock::now() < until) return multiplexer->post(*this);
    const auto found = basp.spawn_servers.find(node);
    if (found == basp.spawn_servers.end()) return;
    caf::anon_send_exit(found->second, caf::exit_reason::kill);
    basp.spawn_servers.erase(found);
  }
};

}  // namespace

void forget_node(caf::actor_system& system, const std::string& node, caf::io::connection_handle ended,
                 std::shared_ptr<const void> claim) {
  std::vector<char> bytes{node.begin(), node.end()};
  caf::binary_deserializer in{system, bytes};
  forgetting later;
  if (in(later.node)) return;
  later.multiplexer = &multiplexer_of(system);
  later.broker = basp_broker_of(system);
  later.ended = ended;
  later.claim = std::move(claim);
  later.until = std::chrono::steady_clock::now() + forgotten_within;
  later.multiplexer->post(later);
}

}  // namespace understudy::internal
