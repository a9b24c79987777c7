// A wrong password of the service, on the nodes of a cluster: one bind over all of them.
#include "served_cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const std::string service = "bind_dn = \"cn=service\"\npassword = \"wrong\"\n";
const std::string refused = "the directory refused the service's password";

struct refused_cluster : served_cluster {
  refused_cluster() : served_cluster({.nodes = 2, .budget = 0, .more = {service, service}}) {
    directory.set_passwords({{"cn=service", "right"}});
  }
  /// Both know that it is refused, and of it the directory has seen no more than that.
  void is_refused_once() {
    for (std::size_t i = 0; i < size(); ++i) says(i, refused);
    for (std::size_t i = 0; i < size(); ++i)
      BOOST_TEST(eventually([&] {
        const auto now = state(i);
        return now && now->credentials_refused;
      }));
    BOOST_TEST(holds_for([&] { return directory.binds().size() == 1U; }, 2s),
               directory.binds().size() << " binds with a wrong password: " << error_output(0) << error_output(1));
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_15_a_node_that_joins_with_a_refused_password_does_not_try_it) {
  // The one that dials comes second, or first.
  for (const std::size_t first : {1U, 0U}) {
    refused_cluster c;
    c.start(first, refused);
    c.start(1 - first, refused);
    c.connected({0, 1});
    c.is_refused_once();
    c.stop_all();
  }
}

BOOST_AUTO_TEST_CASE(scenario_15_two_nodes_that_begin_together_try_a_wrong_password_once) {
  refused_cluster c;
  c.start(0, "listens for nodes");
  c.start(1, "listens for nodes");
  c.is_refused_once();
  c.stop_all();
}
