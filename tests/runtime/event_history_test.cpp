// Events: what is kept of them, what is left out, and who is told.
#include "understudy/runtime/platform/event_history.hpp"

#include "support/eventually.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/platform/log_sink.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <mutex>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const wall_time event_time{seconds{1767254400}};

}  // namespace

BOOST_AUTO_TEST_CASE(the_last_events_are_kept_in_order_and_older_ones_forgotten) {
  event_history history;
  BOOST_TEST(history.since(0).empty());
  BOOST_TEST(history.latest() == 0U);
  const auto count = event_history::most + 5;
  for (std::size_t i = 1; i <= count; ++i)
    BOOST_TEST(history.note(log_level::info, "breaker", "event " + std::to_string(i), {}, event_time).number == i);
  const auto all = history.since(0);
  BOOST_TEST_REQUIRE(all.size() == event_history::most);
  BOOST_TEST(all.front().number == 6U);
  BOOST_TEST(all.back().text == "event " + std::to_string(count));
  BOOST_TEST(history.since(count - 2).size() == 2U);
  BOOST_TEST(history.since(count).empty());
  BOOST_TEST(history.latest() == count);
}

BOOST_AUTO_TEST_CASE(an_event_has_its_kind_severity_and_details_and_names_no_dn) {
  event_history history;
  const auto refused = history.note(log_level::warning, "credentials", "refused\nby x",
                                    {{"bind_dn", "cn=service"}, {"cause", "49\x1b[1m"}}, event_time);
  BOOST_TEST((refused.kind == event_kind::credential));
  BOOST_TEST((refused.severity == event_severity::warning));
  BOOST_TEST(refused.text.find('\n') == std::string::npos);
  BOOST_TEST_REQUIRE(refused.details.size() == 1U);
  BOOST_TEST(refused.details[0].first == "cause");
  BOOST_TEST(refused.details[0].second.find('\x1b') == std::string::npos);
  BOOST_TEST((refused.at == event_time));
  const std::pair<const char*, event_kind> kinds[] = {
      {"breaker", event_kind::server}, {"monitoring", event_kind::alert}, {"pool", event_kind::pool},
      {"manager", event_kind::other},  {"node", event_kind::node},        {"config", event_kind::settings},
      {"leak", event_kind::leak}};
  for (const auto& [component, kind] : kinds)
    BOOST_TEST((history.note(log_level::error, component, "x", {}, event_time).kind == kind), component);
}

BOOST_AUTO_TEST_CASE(events_are_told_whatever_the_level_of_the_log_is) {
  log_settings how;
  how.level = log_level::error;
  std::mutex mutex;
  std::vector<std::string> lines, told;
  auto history = std::make_shared<event_history>();
  log_sink log(
      how,
      [&](log_level, std::string_view, const std::string& line) {
        const std::lock_guard guard{mutex};
        lines.push_back(line);
      },
      history,
      [&](const runtime_event& event) {
        const std::lock_guard guard{mutex};
        told.push_back(event.text);
        if (event.text == "second") throw std::runtime_error("a defect of the listener's");
      });
  log.write(log_level::info, "breaker", "first");
  log.write(log_level::debug, "breaker", "too small");
  log.write(log_level::warning, "pool", "second");
  log.write(log_level::error, "pool", "third");
  log.stop();
  BOOST_TEST(told == (std::vector<std::string>{"first", "second", "third"}), boost::test_tools::per_element());
  // The third line, and that an event was lost.
  BOOST_TEST(std::any_of(lines.begin(), lines.end(),
                         [](const std::string& line) { return line.find("third") != std::string::npos; }));
  BOOST_TEST(std::none_of(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.find("first") != std::string::npos; }));
  BOOST_TEST(history->since(0).size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_service_is_told_of_the_server_that_is_lost) {
  stub_directory server;
  connection_info info;
  info.uri = server.url();
  info.retry_delay = 50ms;
  // The manager tells until it ends.
  std::mutex mutex;
  std::vector<runtime_event> told;
  connection_manager manager(info);
  manager.set_events([&](const runtime_event& event) {
    const std::lock_guard guard{mutex};
    told.push_back(event);
  });
  const auto was_told = [&](const std::string& part) {
    const std::lock_guard guard{mutex};
    return std::any_of(told.begin(), told.end(), [&](const runtime_event& e) {
      return e.kind == event_kind::server && e.text.find(part) != std::string::npos;
    });
  };
  BOOST_TEST(manager.events().empty());
  BOOST_REQUIRE(manager.connect().connected);
  BOOST_TEST(eventually([&] { return was_told("serves"); }));
  const auto before = manager.events().back().number;
  server.stop();
  BOOST_TEST(eventually([&] { return was_told("is lost"); }));
  const auto after = manager.events(before);
  BOOST_TEST_REQUIRE(!after.empty());
  BOOST_TEST(after.front().number > before);
}

BOOST_AUTO_TEST_CASE(a_service_is_told_of_breaker_failover_credential_leak_and_alert) {
  const std::map<std::string, std::string> right{{"cn=service", "right"}};
  stub_directory preferred{{.passwords = right}}, other{{.passwords = right}};
  settings all;
  for (const auto* server : {&preferred, &other}) {
    auto& info = all.servers.emplace_back();
    info.uri = server->url();
    info.priority = static_cast<int>(all.servers.size());
    info.bind_dn = "cn=service";
    info.password = secret{"right"};
    info.retry_delay = 50ms;
  }
  all.pool.leak_threshold = 100ms;
  all.pool.health_check_interval = 50ms;  // how often the thresholds are looked at
  all.monitoring.max_connection_time = 3600000;
  all.monitoring.min_success_rate = 0;
  all.monitoring.max_pool_utilization = 1;
  all.log.level = log_level::error;
  std::mutex mutex;
  std::vector<runtime_event> told;
  connection_manager manager(std::move(all));
  manager.set_events([&](const runtime_event& event) {
    const std::lock_guard guard{mutex};
    told.push_back(event);
  });
  const auto becomes_told = [&](event_kind kind, const std::string& part) {
    return eventually([&] {
      const std::lock_guard guard{mutex};
      return std::any_of(told.begin(), told.end(), [&](const runtime_event& e) {
        return e.kind == kind && e.text.find(part) != std::string::npos;
      });
    });
  };
  BOOST_REQUIRE(manager.connect().connected);
  {
    const auto held = manager.get_connection();
    BOOST_TEST(becomes_told(event_kind::leak, "possible leak: lease"));
    BOOST_TEST(becomes_told(event_kind::alert, "of its connections in use"));
  }
  BOOST_TEST(becomes_told(event_kind::leak, "leaked lease"));
  BOOST_TEST(becomes_told(event_kind::alert, "is kept again"));
  preferred.stop();
  const auto name = [](const stub_directory& server) { return "127.0.0.1:" + std::to_string(server.port()); };
  BOOST_TEST(becomes_told(event_kind::server, name(preferred) + " is lost"));
  BOOST_TEST(becomes_told(event_kind::server, name(other) + " serves"));
  other.set_passwords({{"cn=service", "another"}});
  other.close_all();
  BOOST_TEST(becomes_told(event_kind::credential, "refused the service's password"));
}
