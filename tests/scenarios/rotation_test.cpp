// Scenarios 15 and 18: the service's password is changed while everything runs.
#include "scenarios/pool_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* first = "hunter2-first";
constexpr const char* second = "hunter2-second";
constexpr std::uint32_t kept = 4;
/// The user's bind, the service's, and one that the monitor may have had under way at the same moment.
constexpr std::uint64_t most_refused = 3;

stub_options known_by(const char* password) { return {.passwords = {{admin_dn, password}}}; }

std::uint64_t refused(const stub_directory& stub) {
  std::uint64_t count = 0;
  for (const auto& bind : stub.binds())
    if (bind.code != 0) ++count;
  return count;
}

using connections = std::set<std::uint64_t>;

/// The open connections whose last accepted bind as the service was with that password.
connections bound_with(const stub_directory& stub, const std::string& password) {
  std::map<std::uint64_t, std::string> last;
  for (const auto& bind : stub.binds())
    if (bind.code == 0 && bind.dn == admin_dn) last[bind.connection] = bind.password;
  connections those;
  for (const auto& [connection, identity] : stub.identities())
    if (last.count(connection) > 0 && last.at(connection) == password) those.insert(connection);
  return those;
}

connections both(const connections& some, const connections& others) {
  connections common;
  std::set_intersection(some.begin(), some.end(), others.begin(), others.end(), std::inserter(common, common.end()));
  return common;
}

/// The directory's password changes, a while later the source's.
void rotate(stub_directory& stub, connection_info source, const std::function<void()>& change_source) {
  source.pool_size = kept;
  source.max_pool_size = 10;
  auto all = quick_settings({std::move(source)});
  all.pool.max_lifetime = 100s;  // of its own accord none of them leaves before 80 s
  log_lines log;
  connection_manager manager(all);
  manager.set_log(log.sink());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, stub.port(), kept));
  const auto pooled = pooled_connections(manager, stub, kept);
  BOOST_TEST_REQUIRE(at_rest(manager, stub.port(), kept));
  background_load reads(manager, 8);

  // Stale: whoever binds now is refused, once; what is bound keeps serving.
  stub.set_passwords({{admin_dn, second}});
  {
    auto held = manager.get_connection();
    BOOST_TEST(held.try_bind({user_dn(1), secret{"x"}}).code() == errc::authentication_failed);
  }
  BOOST_TEST(eventually([&] { return manager.snapshot().credentials_refused; }));
  const auto before = reads.succeeded();
  const auto stale = [&] { return refused(stub) >= 2u && refused(stub) <= most_refused; };
  BOOST_TEST(holds_for(stale, 2s), refused(stub) << " binds were refused");
  BOOST_TEST(eventually([&] { return reads.succeeded() > before + 100; }));
  const auto old = both(pooled, bound_with(stub, first));
  BOOST_TEST(old.size() >= kept - 1);

  // The source follows: it is noticed, used for every new bind, and the old connections go one after the other.
  change_source();
  std::uint32_t least = kept, most_gone = 0;
  auto left = old;
  const bool renewed = eventually(
      [&] {
        const auto now = pool_at(manager, stub.port()).now;
        least = std::min(least, now.idle + now.in_use);
        const auto still = both(left, bound_with(stub, first));
        most_gone = std::max(most_gone, static_cast<std::uint32_t>(left.size() - still.size()));
        left = still;
        return left.empty() && bound_with(stub, second).size() >= kept;
      },
      60s);
  BOOST_TEST(renewed, left.size() << " connections are still bound with the old password");
  BOOST_TEST(least >= kept - 1, "capacity fell to " << least);
  BOOST_TEST(most_gone < kept - 1, most_gone << " left together");
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  BOOST_TEST(refused(stub) <= most_refused);
  BOOST_TEST(!manager.snapshot().credentials_refused);
  end_scenario(manager, {stub});
  BOOST_TEST(!log.has("hunter2"));
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_18_a_password_rotated_in_its_file_renews_connections_gradually) {
  leak_guard leaks;
  temporary_folder folder;
  stub_directory a(known_by(first));
  auto server = server_at(a.port());
  server.password = {};
  server.password_file = folder.write("password", first).string();
  rotate(a, server, [&] { folder.write("password", second); });
}

BOOST_AUTO_TEST_CASE(scenario_18_a_password_rotated_by_a_callback_renews_connections_gradually) {
  leak_guard leaks;
  const auto changed = std::make_shared<std::atomic<bool>>(false);
  stub_directory a(known_by(first));
  auto server = server_at(a.port());
  server.password = {};
  server.password_callback = [changed] { return std::string{changed->load() ? second : first}; };
  rotate(a, server, [&] { *changed = true; });
}

BOOST_AUTO_TEST_CASE(scenario_18_a_password_rotated_by_a_command_renews_connections_gradually) {
  leak_guard leaks;
  temporary_folder folder;
  stub_directory a(known_by(first));
  auto server = server_at(a.port());
  server.password = {};
  server.password_command = {"/bin/cat", folder.write("password", first).string()};
  rotate(a, server, [&] { folder.write("password", second); });
}

/// All connections are lost at the same time, and are opened together.
BOOST_AUTO_TEST_CASE(scenario_15_a_password_changed_just_after_it_was_accepted_is_refused_once) {
  leak_guard leaks;
  stub_directory stub(known_by(first));
  auto server = server_at(stub.port());
  server.password = secret{first};
  server.pool_size = kept;
  connection_manager manager(quick_settings({server}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, stub.port(), kept));
  background_load reads(manager, 8);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 0; }));
  stub.set_passwords({{admin_dn, second}});
  stub.close_all();
  BOOST_TEST(eventually([&] { return manager.snapshot().credentials_refused; }));
  BOOST_TEST(holds_for([&] { return refused(stub) == 1; }, 500ms), refused(stub) << " binds were refused");
  stub.set_passwords({{admin_dn, first}});
  manager.resume(name_of(stub.port()));
  BOOST_TEST(reads.finish());
  end_scenario(manager, {stub});
}
