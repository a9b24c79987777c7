// Servers that hang before anybody was connected to them: connects succeed, nothing is ever answered.
#include "scenarios/evidence.hpp"
#include "support/certificates.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

enum class security : std::uint8_t { plain, start_tls, tls };

/// The first `hung` of `count` servers hang; each server is a level of its own.
struct hung_before_start {
  hung_before_start(int count, std::size_t hung, security how = security::plain, bool bound = true) : first_well(hung) {
    stub_options with;
    if (how != security::plain) with.tls = tls_files{certificates.server.certificate, certificates.server.key};
    with.ldaps = how == security::tls;
    std::vector<connection_info> infos;
    for (int i = 0; i < count; ++i) {
      servers.push_back(std::make_unique<stub_directory>(with));
      auto info = server_at(servers.back()->port(), i + 1);
      if (!bound) info.bind_dn.clear(), info.password = {};
      info.use_ssl = how == security::tls;
      info.use_tls = how == security::start_tls;
      if (how != security::plain) info.ca_cert_path = certificates.ca.certificate();
      infos.push_back(info);
    }
    for (std::size_t i = 0; i < hung; ++i) servers[i]->pause();
    all = quick_settings(infos);
  }

  duration connect(connection_manager& manager) const {
    const stopwatch watch;
    const auto found = manager.connect();
    const auto took = watch.elapsed();
    BOOST_TEST_REQUIRE(found.connected, found.connection_error + found.auth_error);
    return took;
  }

  duration search(connection_manager& manager) const {
    const stopwatch watch;
    const auto found = manager.try_search(search_for("(uid=user1)"), {10s});
    const auto took = watch.elapsed();
    BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
    BOOST_TEST(found->server == name_of(servers[first_well]->port()));
    return took;
  }

  std::vector<witness> mend() {
    std::vector<witness> seen;
    for (auto& one : servers) {
      one->resume();
      seen.emplace_back(*one);
    }
    return seen;
  }

  certificate_set certificates;
  std::vector<std::unique_ptr<stub_directory>> servers;
  settings all;
  std::size_t first_well = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_that_hangs_before_start_costs_its_first_caller_a_second) {
  for (const bool bound : {true, false}) {
    for (const auto how : {security::plain, security::start_tls, security::tls}) {
      leak_guard leaks;
      hung_before_start one(2, 1, how, bound);
      connection_manager manager(one.all);
      const auto first = one.connect(manager);
      BOOST_TEST((first <= 1500ms), "the first took " << std::chrono::duration_cast<milliseconds>(first).count());
      const auto next = one.search(manager);
      BOOST_TEST((next <= 300ms), "the next took " << std::chrono::duration_cast<milliseconds>(next).count());
      end_scenario(manager, one.mend());
    }
  }
}

BOOST_AUTO_TEST_CASE(stranger_that_hangs_before_start_costs_a_second_a_level) {
  for (const std::size_t hung : {1U, 2U}) {
    leak_guard leaks;
    hung_before_start one(3, hung);
    connection_manager manager(one.all);
    const auto first = one.connect(manager);
    BOOST_TEST((first <= hung * 1500ms), "it took " << std::chrono::duration_cast<milliseconds>(first).count());
    end_scenario(manager, one.mend());
  }
}

BOOST_AUTO_TEST_CASE(stranger_that_hangs_before_start_costs_no_second_refused_bind) {
  leak_guard leaks;
  hung_before_start one(4, 1);
  for (auto& server : one.servers) server->set_passwords({{admin_dn, "another"}});
  connection_manager manager(one.all);
  BOOST_TEST(!manager.connect().connected);
  const auto refused = [&] {
    std::size_t binds = 0;
    for (auto& server : one.servers) binds += server->binds().size();
    return binds;
  };
  BOOST_TEST(refused() == 1u);
  BOOST_TEST(holds_for([&] { return refused() <= 1; }, 3s));
  manager.disconnect();
}

/// No caller waits for a second: the silence counts all the same.
BOOST_AUTO_TEST_CASE(stranger_that_hangs_before_start_fails_short_deadlines_for_a_second_only) {
  for (const bool bound : {true, false}) {
    leak_guard leaks;
    hung_before_start one(2, 1, security::plain, bound);
    connection_manager manager(one.all);
    BOOST_TEST_REQUIRE(!manager.connect(1ms).connected, "it is begun, and goes on");
    const auto search = [&] { return manager.try_search(search_for("(uid=user1)"), {700ms}); };
    int failed = 0;
    while (failed < 4 && !search()) ++failed;
    BOOST_TEST(failed <= 2);
    for (int i = 0; i < 20; ++i) {
      const auto found = search();
      BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
      BOOST_TEST(found->server == name_of(one.servers[1]->port()));
    }
    end_scenario(manager, one.mend());
  }
}

BOOST_AUTO_TEST_CASE(stranger_that_hangs_when_it_is_added_fails_short_deadlines_for_a_second_only) {
  leak_guard leaks;
  hung_before_start one(2, 1);
  auto before = one.all;
  before.servers.erase(before.servers.begin());
  connection_manager manager(before);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto search = [&] { return manager.try_search(search_for("(uid=user1)"), {700ms}); };
  BOOST_TEST_REQUIRE(static_cast<bool>(search()));
  manager.reload(one.all);
  BOOST_TEST_REQUIRE(manager.snapshot().servers.size() == 2U);
  int failed = 0;
  for (int i = 0; i < 20; ++i) failed += search() ? 0 : 1;
  BOOST_TEST(failed <= 2);
  end_scenario(manager, one.mend());
}
