// Runtime, gateway and links of a node: see serving_node.hpp.
#include "runtime/serving_node.hpp"

#include "understudy/config/load.hpp"

#include <caf/send.hpp>

#include <boost/test/unit_test.hpp>

#include <future>

namespace understudy::test {

using namespace internal;

serving_node_options serving_directory(const std::string& uri) {
  serving_node_options options;
  const auto& known = node_certificates();
  options.certificate = known.server.certificate;
  options.key = known.server.key;
  options.ca = known.ca.certificate();
  options.uris = {uri};
  return options;
}

serving_node::config::config(duration heartbeat) {
  configure(*this);
  set("scheduler.max-threads", 2);
  configure_nodes(*this, heartbeat);
}

/// Links are there before the gateway is.
struct serving_node::told_gateway {
  std::mutex mutex;
  gateway_actor gateway;
};

namespace {

settings_ptr settings_of(const serving_node_options& options) {
  settings all;
  for (const auto& uri : options.uris) {
    connection_info server;
    server.uri = uri;
    server.bind_dn = options.bind_dn;
    if (!options.bind_dn.empty()) server.password = secret{options.password};
    server.priority = static_cast<int>(all.servers.size()) + 1;
    all.servers.push_back(std::move(server));
  }
  all.pool.min_connections = 1;
  all.pool.max_connections = 8;
  all.limits.drain_timeout = seconds{1};
  all.log.level = log_level::error;
  return std::make_shared<const settings>(checked(std::move(all)));
}

}  // namespace

serving_node::serving_node(serving_node_options options)
    : config_(options.heartbeat), system_(config_), told_(std::make_shared<told_gateway>()) {
  runtime_.emplace(system_, settings_of(options));
  node_links_options told;
  told.on_end = [to = told_](const node_peer& peer, const std::string&) {
    const std::lock_guard lock{to->mutex};
    if (to->gateway) caf::anon_send(to->gateway, removed_atom_v, peer.link);
  };
  links_ = std::make_shared<node_links>(system_, runtime_->env(), std::move(told));
  gateway_dependencies from;
  from.env = runtime_->env();
  from.node = "test node";
  from.router = runtime_->router();
  from.manager = runtime_->manager();
  from.peers = links_;
  from.reload = std::move(options.on_reload);
  from.drain = std::move(options.on_drain);
  gateway_ = spawn_gateway(system_, std::move(from));
  {
    const std::lock_guard lock{told_->mutex};
    told_->gateway = gateway_;
  }
  node_listener_options at;
  at.address = "127.0.0.1:" + std::to_string(options.port);
  at.permission = options.permission;
  if (!options.certificate.empty())
    at.tls = server_certificates{{options.certificate, options.key, options.ca, {}}, tls_version::v1_3};
  port_ = port_of(links_->listen(std::move(at), caf::actor_cast<caf::strong_actor_ptr>(gateway_)));
}

serving_node::~serving_node() {
  links_->close(seconds{5});
  {
    const std::lock_guard lock{told_->mutex};
    told_->gateway = nullptr;
  }
  auto ended = std::make_shared<std::promise<void>>();
  caf::actor_cast<caf::strong_actor_ptr>(gateway_)->get()->attach_functor([ended] { ended->set_value(); });
  caf::anon_send_exit(gateway_, caf::exit_reason::user_shutdown);
  gateway_ = nullptr;
  ended->get_future().wait_for(patience);
  links_ = nullptr;
  runtime_->stop(seconds{1});
  runtime_.reset();
}

serving_process::serving_process(const std::string& program, const serving_node_options& options)
    : process_([&] {
        std::vector<std::string> words{program,
                                       options.certificate,
                                       options.key,
                                       options.ca,
                                       std::to_string(options.port),
                                       std::string{to_string(options.permission)},
                                       options.bind_dn,
                                       options.password};
        words.insert(words.end(), options.uris.begin(), options.uris.end());
        return words;
      }()) {
  BOOST_REQUIRE_MESSAGE(
      eventually([&] { return process_.output().find('\n') != std::string::npos || !process_.running(); }) &&
          process_.running(),
      process_.error_output());
}

}  // namespace understudy::test
