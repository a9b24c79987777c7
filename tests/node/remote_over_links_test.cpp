// A client and nodes over real links: TLS, BASP and its guard between the two ends.
#include "remote_client.hpp"
#include "scripted_node.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// A node whose gateway serves a scripted directory.
struct serving_node {
  explicit serving_node(node_permission permission) {
    gateway_dependencies from;
    from.env = links.env;
    from.node = "node";
    from.router = node.router();
    from.manager = node.manager();
    from.peers = std::shared_ptr<const peer_registry>(std::shared_ptr<void>(), &*links.links);
    gateway = spawn_gateway(links.system, std::move(from));
    port = port_of(links.links->listen(secured_listener(permission), caf::actor_cast<caf::strong_actor_ptr>(gateway)));
  }
  ~serving_node() {
    links.links->close(seconds{2});
    caf::anon_send(node.actor(), close_atom_v);
    caf::anon_send_exit(gateway, caf::exit_reason::user_shutdown);
    gateway = nullptr;
  }
  /// How many leases are open, asked of the actor that knows.
  std::size_t leases_open() {
    caf::scoped_actor self{links.system};
    self->request(node.manager(), seconds{5}, status_atom_v)
        .receive([](const runtime_snapshot&) {}, [](const caf::error&) {});
    return script->leases_open();
  }

  /// With a link all that came by it ends.
  node_links_options told() {
    node_links_options options;
    options.on_end = [this](const node_peer& peer, const std::string&) {
      caf::anon_send(gateway, removed_atom_v, peer.link);
    };
    options.on_answered = [this](std::uint64_t link) { caf::anon_send(gateway, credit_atom_v, link); };
    return options;
  }

  gateway_actor gateway;
  test_node links{told()};
  std::shared_ptr<node_script> script = std::make_shared<node_script>();
  scripted_node node{links.system, script};
  std::uint16_t port = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(operations_cross_a_real_link_and_its_listener_says_what_is_allowed) {
  serving_node node{node_permission::read};
  node.script->answers[operation::search].entries = {{"cn=a", {{"mail", {std::string(100'000, 'm')}}}}};
  remote_client client{{node.port}};
  const auto found = client.perform(search_request{});
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST((*found.value)->entries.at(0).first("mail").size() == 100'000U);
  BOOST_TEST((*found.value)->server == "ldap1:389");
  const auto refused = client.perform(delete_request{"cn=a"});
  BOOST_TEST((refused.code() == errc::invalid_request));
  BOOST_TEST(refused.error->message.find("\"read\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(when_a_node_goes_its_clients_go_on_with_another) {
  auto first = std::make_unique<serving_node>(node_permission::write);
  serving_node second{node_permission::write};
  remote_client client{{first->port, second.port}};
  BOOST_TEST(client.perform(delete_request{"cn=a"}).ok());
  BOOST_TEST(first->script->done["cn=a"] == 1);
  first.reset();
  BOOST_TEST(client.perform(search_request{}).ok());
  BOOST_TEST(client.perform(delete_request{"cn=b"}).ok());
  BOOST_TEST(second.script->done["cn=b"] == 1);
}

BOOST_AUTO_TEST_CASE(what_a_client_held_returns_when_its_process_goes) {
  serving_node node{node_permission::read};
  {
    remote_client client{{node.port}};
    BOOST_TEST_REQUIRE(client.take_lease());
    BOOST_TEST(node.leases_open() == 1U);
    BOOST_TEST(client.links.links->close(seconds{2}));  // all that a node sees of an end
  }
  BOOST_TEST(eventually([&] { return node.leases_open() == 0; }));
}
