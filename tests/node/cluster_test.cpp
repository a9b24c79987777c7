// Nodes of one cluster as processes before one directory, which counts their sockets: never more than the budget, also
// when one is killed, paused, started again or cut off; and everything comes back.
#include "served_cluster.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

#include <filesystem>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t total = 10;

/// Three nodes that are ready and see each other; the directory takes a while for each search, so that load needs many
/// connections.
struct loaded_cluster : served_cluster {
  explicit loaded_cluster(std::uint32_t budget = total) : served_cluster({.nodes = 3, .budget = budget}) {
    directory.disturb(operation::search, {.delay = 10ms});
    start_all();
    connected({0, 1, 2});
  }

  steady_load& load(std::size_t node, int callers = 8) {
    loads.push_back(std::make_unique<steady_load>(port(node), callers));
    return *loads.back();
  }
  void unload() { loads.clear(); }
  std::uint32_t opened() {
    std::uint32_t all = 0;
    for (std::size_t i = 0; i < size(); ++i) all += budget(i).opened;
    return all;
  }
  /// Under the load that there is every node comes to what it owns, and the directory never saw more than the budget.
  void comes_to_its_shares(std::chrono::milliseconds limit = 60s) {
    const bool all = eventually(
        [&] {
          for (std::size_t i = 0; i < size(); ++i) {
            const auto b = budget(i);
            if (b.lent != 0 || b.borrowed != 0 || b.opened != b.share) return false;
          }
          return true;
        },
        limit);
    BOOST_TEST(all, "shares: " << text());
    stays_within();
  }
  void stays_within() {
    BOOST_TEST(directory.most_open_connections() <= total, directory.most_open_connections() << " at once");
  }
  std::string text() {
    std::string all;
    for (std::size_t i = 0; i < size(); ++i) {
      const auto b = budget(i);
      all += name_of(i) + ": " + std::to_string(b.opened) + " open, " + std::to_string(b.share) + " owned, " +
             std::to_string(b.lent) + " lent, " + std::to_string(b.borrowed) + " borrowed, " +
             std::to_string(b.wanted) + " wanted; ";
    }
    return all;
  }
  /// Descriptors of that process beside those to the directory.
  std::ptrdiff_t descriptors(std::size_t node) {
    const auto folder = std::filesystem::directory_iterator("/proc/" + std::to_string(process(node).pid()) + "/fd");
    const auto all = std::distance(begin(folder), end(folder));
    return all - static_cast<std::ptrdiff_t>(budget(node).opened);
  }
  /// What every disturbance ends in: all see each other, all serve, nobody keeps more than before.
  void has_recovered(const std::vector<std::ptrdiff_t>& before) {
    connected({0, 1, 2}, 60s);
    for (std::size_t i = 0; i < size(); ++i) {
      auto& asked = load(i, 6);
      asked.goes_on();
    }
    comes_to_its_shares();
    unload();
    for (std::size_t i = 0; i < before.size(); ++i)
      BOOST_TEST(eventually([&] { return descriptors(i) <= before[i]; }),
                 name_of(i) << ": " << descriptors(i) << " descriptors, and " << before[i] << " before");
    stop_all();
    stays_within();
  }
  std::vector<std::ptrdiff_t> all_descriptors() {
    std::vector<std::ptrdiff_t> all;
    for (std::size_t i = 0; i < size(); ++i) all.push_back(descriptors(i));
    return all;
  }

  std::vector<std::unique_ptr<steady_load>> loads;
};

}  // namespace

BOOST_AUTO_TEST_CASE(three_nodes_under_load_stay_within_their_budget) {
  loaded_cluster c;
  BOOST_TEST(c.budget(0).total == total);
  BOOST_TEST(c.budget(0).share == 4U);
  BOOST_TEST(c.budget(1).share == 3U);
  BOOST_TEST(c.state(0)->peers.size() == 2U);
  const auto before = c.all_descriptors();
  // Who alone has work borrows half of what the others own.
  auto& first = c.load(0);
  BOOST_TEST(eventually([&] { return c.budget(0).opened == 6; }), c.text());
  BOOST_TEST(c.budget(0).borrowed == 2U);
  const auto text = c.status(0, false);
  BOOST_TEST(text.find("budget: 4 of 10 sockets owned, 0 lent, 2 borrowed; 6 in use, ") != std::string::npos, text);
  BOOST_TEST(text.find("peer 127.0.0.12  connected since 20") != std::string::npos, text);
  BOOST_TEST(text.find("  dialled 127.0.0.12 (127.0.0.12:") != std::string::npos, text);
  const auto json = c.status(1, true);
  BOOST_TEST(json.find("\"owned\": 3") != std::string::npos, json);
  BOOST_TEST(json.find("\"lent\": 1") != std::string::npos, json);
  BOOST_TEST(json.find("\"name\": \"127.0.0.13\"") != std::string::npos, json);
  BOOST_TEST(json.find("\"state\": \"connected\"") != std::string::npos, json);
  BOOST_TEST(json.find("\"link\": \"it has dialled this node\"") != std::string::npos, json);
  // When they have work as well they want it back.
  auto& second = c.load(1);
  auto& third = c.load(2);
  c.comes_to_its_shares();
  BOOST_TEST(c.directory.open_connections() == total);
  for (auto* each : {&first, &second, &third}) {
    each->goes_on();
    BOOST_TEST(each->failed() == 0, each->first_failure());
  }
  // A budget is what a node begins with.
  c.write(0, 20);
  c.process(0).send_signal(SIGHUP);
  c.says(0, "needs_restart=node.budget");
  BOOST_TEST(c.budget(0).total == total);
  c.unload();
  c.has_recovered(before);
}

BOOST_AUTO_TEST_CASE(scenario_39_a_node_that_was_dialled_and_is_not_trusted_any_more_is_left) {
  const auto authority = node_certificates().ca;
  const auto list = authority.revocation_list({}, std::chrono::hours{24}, "nodes");
  served_cluster c{{.nodes = 3, .budget = 0, .node = "crl_path = \"" + list.string() + "\"\n"}};
  c.start_all();
  c.connected({0, 1, 2});
  steady_load load{c.port(0), 2};
  // The first one dials both others; only one of them is revoked.
  authority.revocation_list({c.shown(1)}, std::chrono::hours{24}, "nodes");
  c.process(0).send_signal(SIGHUP);
  c.says(0, "its certificate is not trusted any more: certificate revoked");
  c.sees(0, 1, false);
  const auto why = eventually([&] {
    const auto now = c.state(0);
    return now && std::any_of(now->peers.begin(), now->peers.end(), [&](const peer_snapshot& p) {
             return p.name == c.name_of(1) && !p.connected && p.last_error.find("revoked") != std::string::npos;
           });
  });
  BOOST_TEST(why, c.status(0, false));
  BOOST_TEST(c.sees(0, 2, true));
  BOOST_TEST(c.times(0, "not trusted any more") == 1U, c.error_output(0));
  load.goes_on();
  load.stop();
  BOOST_TEST(load.failed() == 0, load.first_failure());
  c.stop_all();
}

BOOST_AUTO_TEST_CASE(without_a_budget_three_nodes_open_what_each_likes) {
  loaded_cluster c{0};
  for (std::size_t i = 0; i < c.size(); ++i) c.load(i);
  BOOST_TEST(eventually([&] { return c.directory.open_connections() > total; }));
  BOOST_TEST(c.budget(0).total == 0U);
  c.unload();
  c.stop_all();
}

BOOST_AUTO_TEST_CASE(a_killed_node_takes_its_share_along_and_brings_it_back) {
  loaded_cluster c;
  const auto before = c.all_descriptors();
  for (std::size_t i = 0; i < c.size(); ++i) c.load(i);
  c.comes_to_its_shares();
  c.process(2).kill9();
  BOOST_TEST(c.process(2).wait().has_value());
  c.sees(0, 2, false);
  // The others have what is theirs, and nothing of that share.
  for (const std::size_t i : {0U, 1U}) c.loads[i]->goes_on(100);
  BOOST_TEST(c.budget(0).opened + c.budget(1).opened <= 7U, c.text());
  c.stays_within();
  c.start(2);
  c.unload();
  c.has_recovered(before);
}

BOOST_AUTO_TEST_CASE(a_node_that_stands_still_keeps_its_sockets_and_goes_on_with_them) {
  loaded_cluster c;
  const auto before = c.all_descriptors();
  for (std::size_t i = 0; i < c.size(); ++i) c.load(i);
  c.comes_to_its_shares();
  c.process(1).stop();
  c.sees(0, 1, false);
  c.sees(2, 1, false);
  for (const std::size_t i : {0U, 2U}) {
    c.loads[i]->goes_on(100);
    BOOST_TEST(c.loads[i]->failed() == 0, c.loads[i]->first_failure());
  }
  c.stays_within();
  c.process(1).resume();
  c.unload();
  c.has_recovered(before);
}

BOOST_AUTO_TEST_CASE(a_node_that_lends_and_is_started_again_does_not_lend_twice) {
  loaded_cluster c;
  const auto before = c.all_descriptors();
  auto& first = c.load(0);
  BOOST_TEST(eventually([&] { return c.budget(0).opened == 6; }), c.text());
  // Node 1 has lent one of its three, ends, and wants all of them at once.
  c.process(1).send_signal(SIGTERM);
  BOOST_TEST((c.process(1).wait() == 0), c.error_output(1));
  c.start(1);
  c.load(1);
  first.goes_on(100);
  c.stays_within();
  c.load(2);
  c.comes_to_its_shares();
  BOOST_TEST(first.failed() == 0, first.first_failure());
  c.unload();
  c.has_recovered(before);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_cut_off_from_the_others_serves_with_what_it_owns) {
  loaded_cluster c;
  const auto before = c.all_descriptors();
  auto& first = c.load(0);
  BOOST_TEST(eventually([&] { return c.budget(0).opened == 6; }), c.text());
  // Of what it has borrowed it knows nothing more: it gives it back when the loan ends, and its owners wait for that.
  c.cut_off(0);
  c.sees(0, 1, false);
  c.sees(1, 0, false);
  c.load(1);
  c.load(2);
  BOOST_TEST(eventually([&] { return c.budget(0).borrowed == 0 && c.budget(0).opened <= 4; }, 60s), c.text());
  c.stays_within();
  for (const auto& each : c.loads) each->goes_on();
  BOOST_TEST(first.failed() == 0, first.first_failure());
  c.heal();
  c.connected({0, 1, 2}, 60s);
  c.comes_to_its_shares();
  c.unload();
  c.has_recovered(before);
}
