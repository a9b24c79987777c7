// What of the public classes may be called inside callbacks and after a move: everything, with a right answer or a
// clear error, and nothing is left behind.
#include "runtime/process_counts.hpp"
#include "support/eventually.hpp"
#include "support/print.hpp"
#include "support/stub_directory.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/connection_pool.hpp"
#include "understudy/runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

connection_info info_of(const stub_directory& server) {
  connection_info info;
  info.host = "127.0.0.1";
  info.port = server.port();
  return info;
}
request_ptr a_search() { return make_request(search_request{}); }
std::shared_ptr<connection_manager> connected(const stub_directory& server) {
  auto made = std::make_shared<connection_manager>(info_of(server));
  return made->connect().connected ? made : nullptr;
}

/// `invalid_request`, told or thrown, or what came instead.
std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ldap_exception& e) {
    return e.code() == errc::invalid_request ? "refused" : e.what();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "no error";
}
void raise(const outcome& o) { o.value(); }
void raise(const connection_result& r) {
  if (r.connection_error.rfind("invalid_request", 0) == 0) {
    auto why = std::make_shared<failure>();
    why->code = errc::invalid_request;
    throw ldap_exception(std::move(why));
  }
}

using named_calls = std::vector<std::pair<const char*, std::function<void()>>>;

/// What each of them says, up to the first that is not refused: that has waited for itself, and so would the others.
void ask_each(const named_calls& calls, std::vector<std::string>& said) {
  for (const auto& [name, call] : calls) {
    said.push_back(name + (": " + refusal_of(call)));
    if (!said.back().ends_with(": refused")) return;
  }
}

/// Every call of a manager that waits; not for long, if it does so where it must not.
named_calls waiting_calls(connection_manager& m) {
  lease_options one_second;
  one_second.timeout = 1s;
  return {{"connect", [&] { raise(m.connect()); }},
          {"reload", [&] { m.reload(settings{}); }},
          {"get_connection", [&m, one_second] { m.get_connection(one_second); }},
          {"health_check", [&] { raise(m.health_check()); }},
          {"probe_all", [&] { m.probe_all(1s); }},
          {"get_metrics", [&] { m.get_metrics(); }},
          {"check_performance", [&] { m.check_performance(); }},
          {"snapshot", [&] { m.snapshot(); }},
          {"suspend", [&] { m.suspend("127.0.0.1:389"); }},
          {"resume", [&] { m.resume("127.0.0.1:389"); }},
          {"perform", [&] { raise(m.perform(a_search(), {1s})); }},
          {"search", [&] { m.search(search_request{}, {1s}); }},
          {"stream", [&] { m.stream({}, {1s}).next(); }},
          {"paged", [&] {
             m.paged({}, {500, 1s}).next_page();
           }}};
}

/// No wait of these tests is longer, not even one of a runtime that waits for itself.
constexpr auto longest_wait = 60s;

/// Waits until `done` is set. What the completion uses must have been made before its manager: when this gives up, the
/// manager's end waits for it.
void wait_for(std::future<void> done) {
  BOOST_TEST_REQUIRE((done.wait_for(longest_wait) == std::future_status::ready), "the completion returns");
}

/// Runs `work` in a completion of `m`, of a request that is answered, and waits for that.
void in_completion(connection_manager& m, std::function<void()> work) {
  const auto done = std::make_shared<std::promise<void>>();
  m.start(make_request(whoami_request{}),
          [work = std::move(work), done](const outcome&) {
            work();
            done->set_value();
          },
          {5s});
  wait_for(done->get_future());
}

/// Lets `end` end a manager in a callback, over and over: nothing stays behind.
void nothing_left_behind(const stub_directory& server,
                         const std::function<void(std::shared_ptr<connection_manager>)>& end) {
  const auto round = [&] {
    auto manager = connected(server);
    BOOST_TEST_REQUIRE((manager != nullptr));
    end(std::move(manager));
  };
  round();
  BOOST_TEST(eventually([&] { return server.open_connections() == 0; }));
  std::size_t threads = 0;
  BOOST_TEST(eventually([&] { return std::exchange(threads, threads_now()) == threads_now(); }));
  const auto descriptors = descriptors_now();
  for (int i = 0; i < 10; ++i) round();
  BOOST_TEST(eventually([&] { return threads_now() <= threads; }));
  BOOST_TEST(eventually([&] { return descriptors_now() <= descriptors; }));
  BOOST_TEST(eventually([&] { return server.open_connections() == 0; }));
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_call_that_waits_says_so_inside_a_completion) {
  std::vector<std::string> said;
  named_calls calls;
  stub_directory server;
  settings all;
  all.servers.push_back(info_of(server));
  all.breaker.suspect_after = all.failover.health_check_interval = 1h;
  const auto manager = std::make_shared<connection_manager>(all);
  BOOST_TEST_REQUIRE(manager->connect().connected);
  auto mine = manager->get_connection();
  auto other = manager->get_connection();
  auto begun = manager->get_connection();
  BOOST_TEST_REQUIRE(static_cast<bool>(manager->try_whoami()));  // on a fourth connection, which is ready from now on
  // Begun where it may be waited for; its reader has nothing yet.
  delivery never;
  never.silent = true;
  const auto silence = server.disturb(operation::search, never);
  auto reader = begun.stream({}, {20s});
  calls = waiting_calls(*manager);
  calls.push_back({"is_connected", [&] { manager->is_connected(); }});
  calls.push_back({"lease::whoami", [&] { mine.whoami({1s}); }});
  calls.push_back({"lease::stream", [&] { mine.stream({}, {1s}).next(); }});
  calls.push_back({"search_stream::next", [&] { reader.next(); }});
  in_completion(*manager, [&] {
    ask_each(calls, said);
    if (!manager->return_connection(other)) said.emplace_back("return_connection: false");
    manager->set_thresholds({});
    manager->start_monitoring();
    manager->stop_monitoring();
    if (!mine.release()) said.emplace_back("release: false");
  });
  for (std::size_t i = 0; i < said.size(); ++i) BOOST_TEST(said[i] == std::string{calls[i].first} + ": refused");
  BOOST_TEST(said.size() == calls.size());
  server.forget(silence);
  BOOST_TEST(eventually([&] { return manager->is_connected(); }));
}

BOOST_AUTO_TEST_CASE(every_call_of_a_pool_that_waits_says_so_inside_a_completion) {
  std::vector<std::string> said;
  named_calls calls;
  stub_directory server;
  connection_pool pool(info_of(server));
  BOOST_TEST_REQUIRE(eventually([&] { return static_cast<bool>(pool.try_search({})); }));
  lease_options one_second;
  one_second.timeout = 1s;
  calls = {{"health_check", [&] { pool.health_check(); }},
           {"get_metrics", [&] { pool.get_metrics(); }},
           {"cleanup", [&] { pool.cleanup(); }},
           {"snapshot", [&] { pool.snapshot(); }},
           {"get_connection", [&] { pool.get_connection(one_second); }}};
  const auto done = std::make_shared<std::promise<void>>();
  pool.start(a_search(), [&, done](const outcome&) {
    ask_each(calls, said);
    done->set_value();
  });
  wait_for(done->get_future());
  for (std::size_t i = 0; i < said.size(); ++i) BOOST_TEST(said[i] == std::string{calls[i].first} + ": refused");
  BOOST_TEST(said.size() == calls.size());
}

BOOST_AUTO_TEST_CASE(a_manager_of_nodes_says_inside_a_completion_that_it_cannot_ask_them) {
  remote_nodes nobody;
  nobody.addresses = {"127.0.0.1:1"};
  std::string said;
  auto manager = connection_manager::for_nodes(nobody, {});
  manager.connect(1ms);
  in_completion(manager, [&] { said = refusal_of([&] { manager.is_connected(); }); });
  BOOST_TEST(said == "refused");
}

BOOST_AUTO_TEST_CASE(what_was_moved_from_says_so) {
  stub_directory server;
  connection_manager manager(info_of(server));
  connection_manager moved(std::move(manager));
  auto calls = waiting_calls(manager);
  lease none;
  calls.push_back({"return_connection", [&] { manager.return_connection(none); }});
  calls.push_back({"set_log", [&] { manager.set_log({}); }});
  calls.push_back({"set_events", [&] { manager.set_events({}); }});
  calls.push_back({"events", [&] { manager.events(); }});
  calls.push_back({"set_lookups", [&] { manager.set_lookups({}); }});
  calls.push_back({"set_thresholds", [&] { manager.set_thresholds({}); }});
  calls.push_back({"start_monitoring", [&] { manager.start_monitoring(); }});
  calls.push_back({"stop_monitoring", [&] { manager.stop_monitoring(); }});
  calls.push_back({"async", [&] { raise(manager.async(a_search()).get()); }});
  for (const auto& [name, call] : calls) BOOST_TEST(refusal_of(call) == "refused", name);
  BOOST_TEST(!manager.is_connected());
  BOOST_TEST(!manager.disconnect());

  connection_pool pool(info_of(server));
  connection_pool other(std::move(pool));
  const named_calls of_pool{{"health_check", [&] { pool.health_check(); }},
                            {"get_metrics", [&] { pool.get_metrics(); }},
                            {"cleanup", [&] { pool.cleanup(); }},
                            {"snapshot", [&] { pool.snapshot(); }},
                            {"get_connection", [&] { pool.get_connection(); }},
                            {"return_connection", [&] { pool.return_connection(none); }},
                            {"perform", [&] { raise(pool.perform(a_search())); }},
                            {"stream", [&] { pool.stream({}).next(); }},
                            {"paged", [&] { pool.paged({}).next_page(); }}};
  for (const auto& [name, call] : of_pool) BOOST_TEST(refusal_of(call) == "refused", name);
  BOOST_TEST(refusal_of([] { outcome{result_ptr{}}.value(); }) == "refused");
  BOOST_TEST(other.try_search({}).code() != errc::invalid_request);
  BOOST_TEST((other.perform(nullptr).code() == errc::invalid_request));
}

BOOST_AUTO_TEST_CASE(a_manager_may_be_disconnected_inside_its_completion) {
  stub_directory server;
  nothing_left_behind(server, [](std::shared_ptr<connection_manager> manager) {
    const auto was = std::make_shared<std::pair<bool, bool>>(false, true);
    in_completion(*manager, [was, m = manager.get()] {
      was->first = m->disconnect();
      was->second = m->is_connected();
    });
    BOOST_TEST(was->first);
    BOOST_TEST(!was->second);
    BOOST_TEST(manager->try_search({}).code() == errc::stopped);
    // Connects when the first has ended.
    BOOST_TEST(manager->connect().connected);
    BOOST_TEST(manager->disconnect());
  });
}

BOOST_AUTO_TEST_CASE(a_manager_may_be_destroyed_inside_its_completion_and_its_executor) {
  stub_directory server;
  nothing_left_behind(server, [](std::shared_ptr<connection_manager> manager) {
    auto* it = manager.get();
    const auto done = std::make_shared<std::promise<void>>();
    it->start(a_search(), [last = std::move(manager), done](const outcome&) mutable {
      last.reset();
      done->set_value();
    });
    wait_for(done->get_future());
  });
  nothing_left_behind(server, [](std::shared_ptr<connection_manager> manager) {
    auto* it = manager.get();
    const auto done = std::make_shared<std::promise<void>>();
    // Held by the executor alone, and let go with it.
    it->start(
        a_search(), [done](const outcome&) { done->set_value(); }, {},
        [last = std::move(manager)](const std::function<void()>& job) { job(); });
    wait_for(done->get_future());
  });
}

BOOST_AUTO_TEST_CASE(a_manager_may_be_disconnected_and_destroyed_in_its_log_listener) {
  stub_directory server;
  settings all;
  all.servers.push_back(info_of(server));
  all.log.level = log_level::debug;
  for (const bool destroyed : {false, true}) {
    auto manager = std::make_shared<connection_manager>(all);
    std::atomic<bool> armed{false}, done{false}, gone{false};
    std::atomic<int> too_late{0};
    std::string refused;
    manager->set_log([&](log_level, const std::string&) {
      if (gone) ++too_late;
      if (!armed.exchange(false)) return;
      refused = manager->connect().connection_error;
      if (destroyed)
        manager.reset();
      else
        manager->disconnect();
      gone = destroyed;
      done = true;
      throw std::runtime_error("it must not");
    });
    BOOST_TEST_REQUIRE(manager->connect().connected);
    armed = true;
    server.close_all();
    BOOST_TEST(eventually([&] { return done.load(); }));
    BOOST_TEST(refused.find("invalid_request") == 0U, refused);
    BOOST_TEST(eventually([&] { return server.open_connections() == 0; }));
    if (manager) manager->disconnect();
    BOOST_TEST(too_late == 0, "nobody is told after the end of the manager");
  }
}

BOOST_AUTO_TEST_CASE(a_manager_may_be_disconnected_in_its_look_up_and_its_password_callback) {
  stub_directory server;
  const auto end_in = [&](const std::function<void(connection_info&, name_lookups&, std::function<void()>)>& where) {
    connection_info info = info_of(server);
    name_lookups lookups;
    connection_manager* it = nullptr;
    std::atomic<int> ended{0};
    where(info, lookups, [&] {
      // Called while connect() is still starting the runtime, it may be too early.
      if (ended == 0 && eventually([&] { return it->disconnect(); })) ++ended;
    });
    connection_manager manager(info);
    it = &manager;
    manager.set_lookups(lookups);
    manager.connect();  // may still succeed: what is under way is finished
    BOOST_TEST(eventually([&] { return ended == 1; }));
    BOOST_TEST(!manager.is_connected());
    manager.disconnect();
  };
  end_in([](connection_info& info, name_lookups& lookups, std::function<void()> end) {
    info.host = "directory.example.com";
    lookups.addresses = [end = std::move(end)](const std::string&) {
      end();
      return std::vector<std::string>{"127.0.0.1"};
    };
  });
  end_in([](connection_info& info, name_lookups&, std::function<void()> end) {
    info.bind_dn = "cn=service";
    info.password_callback = [end = std::move(end)] {
      end();
      return std::string{"secret"};
    };
  });
}

BOOST_AUTO_TEST_CASE(a_runtime_may_be_stopped_and_destroyed_inside_its_completion) {
  stub_directory server;
  settings all;
  all.servers.push_back(info_of(server));
  all.log.level = log_level::error;
  for (const bool destroyed : {false, true}) {
    auto it = std::make_unique<runtime>(std::make_shared<const settings>(all));
    const auto done = std::make_shared<std::promise<void>>();
    const auto stopped = std::make_shared<std::atomic<bool>>(true);
    it->client().start(a_search(),
                       [&, done, stopped](const outcome&) {
                         if (destroyed) it.reset();
                         *stopped = it && it->stop(1s);
                         done->set_value();
                       },
                       {}, {});
    wait_for(done->get_future());
    BOOST_TEST(!*stopped);
    if (it) BOOST_TEST(it->stop(1s));
  }
  BOOST_TEST(eventually([&] { return server.open_connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(every_operation_has_every_form_with_options) {
  stub_directory server;
  auto manager = connected(server);
  BOOST_TEST_REQUIRE((manager != nullptr));
  directory& d = *manager;
  const call_options how{5s};
  const auto all_forms = [&](const char* name, auto blocking, auto trying, auto future, auto callback) {
    BOOST_TEST_CONTEXT(name) {
      blocking();
      BOOST_TEST(static_cast<bool>(trying()));
      BOOST_TEST(static_cast<bool>(future().get()));
      std::promise<bool> told;
      callback([&](const outcome& o) { told.set_value(static_cast<bool>(o)); });
      BOOST_TEST(told.get_future().get());
    }
  };
#define ALL_FORMS(name, what)                                                                        \
  all_forms(                                                                                         \
      #name, [&] { static_cast<void>(d.name(what, how)); }, [&] { return d.try_##name(what, how); }, \
      [&] { return d.async_##name(what, how); }, [&](completion done) { d.async_##name(what, done, how, {}); })
  const std::string dn = "uid=x,dc=example,dc=com";
  ALL_FORMS(search, search_request{});
  ALL_FORMS(compare, (compare_request{dn, "uid", "x"}));
  ALL_FORMS(add, (add_request{dn, {{"objectClass", {"person"}}}}));
  ALL_FORMS(modify, (modify_request{dn, {{modification::kind::replace, {"mail", {"x"}}}}}));
  ALL_FORMS(remove, delete_request{dn});
  ALL_FORMS(modify_dn, (modify_dn_request{dn, "uid=y", true, {}}));
  ALL_FORMS(bind, (bind_request{dn, secret{"x"}}));
#undef ALL_FORMS
  all_forms(
      "whoami", [&] { d.whoami(how); }, [&] { return d.try_whoami(how); }, [&] { return d.async_whoami(how); },
      [&](completion done) { d.async_whoami(done, how, {}); });
  BOOST_TEST(d.search("dc=example,dc=com", "(uid=x)", {"mail"}, how).size() == 1U);
  // The stub knows neither of these: it is the forms that count.
  d.async_password_modify({dn, {}, {}}, how).get();
  d.async_extended({"1.2.3", {}}, how).get();
  std::promise<void> both, other;
  d.async_password_modify({dn, {}, {}}, [&](const outcome&) { both.set_value(); }, how, {});
  d.async_extended({"1.2.3", {}}, [&](const outcome&) { other.set_value(); }, how, {});
  both.get_future().get();
  other.get_future().get();
}

BOOST_AUTO_TEST_CASE(a_reload_that_is_not_begun_in_time_never_happens) {
  stub_directory server;
  auto manager = connected(server);
  BOOST_TEST_REQUIRE((manager != nullptr));
  auto next = settings_from({info_of(server)});
  next.servers[0].max_pool_size = 7;
  std::promise<void> entered, leave;
  manager->start(a_search(), [&](const outcome&) {  // what a completion should not do: it waits
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  BOOST_CHECK_EXCEPTION(manager->reload(next, 100ms), operation_timeout, [](const operation_timeout& e) {
    return std::string{e.what()}.find("stay as they are") != std::string::npos;
  });
  leave.set_value();
  // What was sent first is dealt with first.
  BOOST_TEST(manager->snapshot().servers.at(0).pool.max_connections == 50U);
  BOOST_TEST(manager->reload(next).changed.size() == 1U);
  BOOST_TEST(eventually([&] { return manager->snapshot().servers.at(0).pool.max_connections == 7U; }));
}

BOOST_AUTO_TEST_CASE(what_protects_less_than_it_seems_is_warned_of_at_the_start) {
  connection_info info;
  info.host = "192.0.2.1";  // for documentation (RFC 5737): nobody answers there
  info.bind_dn = "cn=service";
  info.password = "secret";
  info.validate_cert = false;
  manager_options options;
  options.reconnect_attempts = 1;
  connection_manager manager(info, options);
  std::mutex mutex;
  std::string logged;
  manager.set_log([&](log_level, const std::string& line) {
    std::lock_guard guard{mutex};
    logged += line + "\n";
  });
  manager.connect(std::chrono::milliseconds{10});
  manager.disconnect();
  for (const char* what :
       {"warning config: ldap.servers[0].bind_dn: its password is sent to 192.0.2.1:389 in plain text",
        "warning config: ldap.servers[0].validate_cert: is off"})
    BOOST_TEST(logged.find(what) != std::string::npos, logged);
  BOOST_TEST(logged.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(compression_where_there_are_no_nodes_is_warned_of_at_the_start) {
  for (const bool enabled : {true, false}) {
    settings all;
    all.servers.resize(1);
    all.servers[0].host = "192.0.2.1";
    all.pool.enable_compression = enabled;
    all.recovery.reconnect_attempts = 1;
    connection_manager manager(all);
    std::mutex mutex;
    std::string logged;
    manager.set_log([&](log_level, const std::string& line) {
      std::lock_guard guard{mutex};
      logged += line + "\n";
    });
    manager.connect(std::chrono::milliseconds{10});
    manager.disconnect();
    const bool said = logged.find("pool.enable_compression: is for links between nodes") != std::string::npos;
    BOOST_TEST(said == enabled, logged);
  }
}
