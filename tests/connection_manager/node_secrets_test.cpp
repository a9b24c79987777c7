// A node that begins with others: it binds when they were heard, and they hear when it knows.
#include "manager_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

using kind = credential_verdict::kind;

/// What the node has told, in its order, and how the others tell it something.
struct noted_cluster final : cluster_port {
  std::shared_ptr<socket_permits> permits(const std::string&) override { return std::make_shared<socket_permits>(100); }
  void set_refused(std::vector<refused_secret> here) override {
    told.push_back("refused " + std::to_string(here.size()));
  }
  void tell_refused(std::function<void(std::vector<refused_secret>)> to) override { tell = std::move(to); }
  void set_standing(secrets_standing now) override {
    told.emplace_back(now == secrets_standing::decided   ? "decided"
                      : now == secrets_standing::waiting ? "waiting"
                                                         : "trying");
  }
  budget_snapshot budget(const std::string&) override { return {}; }
  std::vector<peer_snapshot> peers() override { return {peer_snapshot{}}; }

  std::vector<std::string> told;
  std::function<void(std::vector<refused_secret>)> tell;
};

struct beginning_node : manager_fixture {
  beginning_node() {
    for (auto& server : all.servers) server.timeout = seconds{2};
    auto with = std::make_shared<environment>(*env);
    with->cluster = cluster;
    env = std::move(with);
  }
  answer_ptr<credential> bind(server_id server) {
    auto answer = virtual_runtime::start<credential>(manager, credential_atom_v, server);
    run();
    return answer;
  }
  void on_verdict(const answer_ptr<credential>& granted, kind verdict) {
    credential_verdict v;
    v.version = granted->value->version;
    v.what = verdict;
    if (verdict == kind::refused)
      v.cause = make_failure(errc::service_authentication_failed, stage::bind, "invalid credentials", "ldap1:389");
    tell(manager, credential_atom_v, v);
  }
  void others_are_heard() {
    cluster->tell({});
    run();
  }

  std::shared_ptr<noted_cluster> cluster = std::make_shared<noted_cluster>();
};

const auto each = boost::test_tools::per_element();

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_node_binds_when_the_others_were_heard_and_says_what_it_found_out, beginning_node) {
  start();
  const auto first = bind(0);
  BOOST_TEST(!first->done());
  BOOST_TEST(cluster->told.empty());
  others_are_heard();
  BOOST_TEST_REQUIRE(first->ok());
  BOOST_TEST(cluster->told == std::vector<std::string>{"trying"}, each);
  on_verdict(first, kind::accepted);
  BOOST_TEST(cluster->told == (std::vector<std::string>{"trying", "decided"}), each);
  // Once: later binds keep nobody waiting.
  on_verdict(bind(1), kind::accepted);
  BOOST_TEST(cluster->told.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_told_before_it_is_said_that_all_is_known, beginning_node) {
  start();
  const auto first = bind(0);
  others_are_heard();
  workers->hold(true);
  on_verdict(first, kind::refused);
  BOOST_TEST(cluster->told == std::vector<std::string>{"trying"}, each);
  workers->hold(false);  // the fingerprint
  run();
  BOOST_TEST(cluster->told == (std::vector<std::string>{"trying", "refused 1", "decided"}), each);
}

BOOST_FIXTURE_TEST_CASE(a_bind_that_waits_too_long_for_other_nodes_is_not_sent, beginning_node) {
  start();
  const auto first = bind(0);
  advance(milliseconds{3'749});
  BOOST_TEST(!first->done());
  advance(milliseconds{1});
  BOOST_TEST((first->code() == errc::connection_timeout));
  BOOST_TEST(first->error->message.find("Another node of the cluster") == 0U, first->error->message);
  BOOST_TEST(cluster->told.empty());
  const auto second = bind(0);
  BOOST_TEST(!second->done());
  // Nobody says that they were heard: it goes on without, and keeps them waiting no longer.
  advance(milliseconds{4'250});
  BOOST_TEST((second->code() == errc::connection_timeout));
  BOOST_TEST(cluster->told == std::vector<std::string>{"decided"}, each);
  BOOST_TEST(bind(0)->ok());
}

BOOST_FIXTURE_TEST_CASE(a_node_that_nobody_asks_to_bind_keeps_the_others_waiting_for_a_while, beginning_node) {
  start();
  others_are_heard();
  advance(milliseconds{7'999});
  BOOST_TEST(cluster->told.empty());
  advance(milliseconds{1});
  BOOST_TEST(cluster->told == std::vector<std::string>{"decided"}, each);
}

BOOST_FIXTURE_TEST_CASE(a_node_without_a_secret_keeps_nobody_waiting, beginning_node) {
  for (auto& server : all.servers) {
    server.bind_dn.clear();
    server.password = {};
  }
  start();
  BOOST_TEST(cluster->told == std::vector<std::string>{"decided"}, each);
  BOOST_TEST(bind(0)->ok());
}
