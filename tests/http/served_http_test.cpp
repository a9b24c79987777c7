// The endpoint before a directory: health, metrics, state, events, orders; and who asks it badly.
#include "http_client.hpp"
#include "support/certificates.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/port_of.hpp"
#include "support/stub_directory.hpp"
#include "understudy/config/load.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/http/http_pages.hpp"
#include "understudy/runtime/http/http_service.hpp"
#include "understudy/runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <atomic>
#include <csignal>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const std::string token = "0123456789abcdef";
const std::string with_token = "Authorization: Bearer " + token + "\r\n";

/// Directories, the first preferred, and an endpoint.
struct house {
  explicit house(http_settings http = {}, std::size_t count = 1, const std::filesystem::path& log = {}) {
    settings all;
    for (std::size_t i = 0; i < count; ++i) {
      connection_info info;
      info.uri = servers.emplace_back(std::make_unique<stub_directory>())->url();
      info.priority = static_cast<int>(i) + 1;
      info.retry_delay = 50ms;
      all.servers.push_back(std::move(info));
    }
    if (http.listen.empty()) http.listen = "127.0.0.1:0";
    all.http = std::move(http);
    all.pool.min_connections = 1;
    all.log.level = log.empty() ? log_level::error : log_level::info;
    all.log.file = log.string();
    all.failover.health_check_interval = 1h;
    runtime_options options;
    options.serve_http = true;
    options.serve_nodes = node_orders{[this] { return begin(reloads); }, [this] { return begin(drains); }};
    at = std::make_unique<runtime>(std::make_shared<const settings>(checked(std::move(all))), std::move(options));
    BOOST_TEST_REQUIRE(eventually([&] { return get(port(), "/readyz").status == 200; }));
  }
  failure_ptr begin(std::atomic<int>& orders) {
    ++orders;
    return may ? nullptr : make_failure(errc::stopped, stage::queue, "It is just ending.");
  }
  std::uint16_t port() const { return port_of(at->http()->address()); }
  std::string name(std::size_t i) const { return "127.0.0.1:" + std::to_string(servers.at(i)->port()); }
  nlohmann::json status() const { return nlohmann::json::parse(get(port(), "/api/status").body); }

  std::vector<std::unique_ptr<stub_directory>> servers;
  std::atomic<int> reloads{0}, drains{0};
  std::atomic<bool> may{true};
  std::unique_ptr<runtime> at;
};

http_settings with_admin() {
  http_settings made;
  made.admin_token = secret{token};
  return made;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(the_endpoint_answers_health_metrics_and_state) {
  http_settings http;
  http.listen = "127.0.0.1:0";
  house h(http);
  BOOST_TEST(get(h.port(), "/livez").body == "ok\n");
  BOOST_TEST(get(h.port(), "/readyz").body == "ready\n");
  const auto verbose = get(h.port(), "/readyz?verbose").body;
  BOOST_TEST(has(verbose, "[+] " + h.name(0) + ": healthy, breaker closed, serving"), verbose);
  const auto metrics = get(h.port(), "/metrics");
  BOOST_TEST(has(metrics.head, "Content-Type: text/plain; version=0.0.4"));
  BOOST_TEST(has(metrics.body, "understudy_server_up{server=\"" + h.name(0) + "\"} 1\n"));
  const auto state = h.status();
  BOOST_TEST(state.at("servers").at(0).at("host") == "127.0.0.1");
  BOOST_TEST(state.at("ready") == true);
  BOOST_TEST(state.at("orders") == false);
  BOOST_TEST(state.at("certificates").empty());
  for (const auto* page : {"/", "/console.css", "/console.js"}) BOOST_TEST(get(h.port(), page).status == 200, page);
  BOOST_TEST(has(get(h.port(), "/").body, "<!DOCTYPE html>"));
  BOOST_TEST(ask(h.port(), "HEAD", "/livez").status == 0);  // a length, and no body
  // The directory goes.
  h.servers[0]->stop();
  BOOST_TEST(eventually([&] { return get(h.port(), "/readyz").status == 503; }));
  BOOST_TEST(has(get(h.port(), "/readyz?verbose").body, "[-] " + h.name(0)));
  BOOST_TEST(get(h.port(), "/livez").status == 200);
  BOOST_TEST(eventually([&] { return get(h.port(), "/metrics").status == 200; }));
}

BOOST_AUTO_TEST_CASE(a_host_that_is_not_ours_is_refused_unless_hosts_lists_it) {
  http_settings http;
  http.hosts = {"Node1.example.com"};
  house h(http);
  BOOST_TEST(ask(h.port(), "GET", "/metrics", "Host: node1.example.com:9389\r\n").status == 200);
  BOOST_TEST(ask(h.port(), "GET", "/metrics", "Host: evil.example\r\n").status == 421);
}

BOOST_AUTO_TEST_CASE(orders_by_http_need_the_admin_token) {
  house h(with_admin(), 2);
  const auto suspend = "/api/suspend?server=" + h.name(0);
  BOOST_TEST(ask(h.port(), "POST", suspend).status == 401);
  BOOST_TEST(ask(h.port(), "POST", suspend, "Authorization: Bearer 0123456789abcdeg\r\n").status == 401);
  BOOST_TEST(ask(h.port(), "POST", suspend, with_token + "Origin: http://evil.example\r\n").status == 403);
  BOOST_TEST(ask(h.port(), "GET", suspend, with_token).status == 405);
  BOOST_TEST(h.status().at("servers").at(0).at("breaker") == "closed");
  BOOST_TEST(ask(h.port(), "POST", suspend, with_token).status == 200);
  BOOST_TEST(eventually([&] { return h.status().at("servers").at(0).at("breaker") == "suspended"; }));
  BOOST_TEST(ask(h.port(), "POST", "/api/resume?server=" + h.name(0), with_token).status == 200);
  BOOST_TEST(eventually([&] { return h.status().at("servers").at(0).at("breaker") != "suspended"; }));
  BOOST_TEST(ask(h.port(), "POST", "/api/suspend?server=nobody:1", with_token).status == 404);
  BOOST_TEST(ask(h.port(), "POST", "/api/reload", with_token).status == 202);
  BOOST_TEST(ask(h.port(), "POST", "/api/drain", with_token).status == 202);
  h.may = false;
  const auto refused = ask(h.port(), "POST", "/api/drain", with_token);
  BOOST_TEST(refused.status == 503);
  BOOST_TEST(has(refused.body, "It is just ending."));
  BOOST_TEST(h.reloads == 1);
  BOOST_TEST(h.drains == 2);
}

BOOST_AUTO_TEST_CASE(orders_and_who_may_not_give_them_are_in_the_log) {
  temporary_folder folder;
  const auto log = folder.path() / "log";
  {
    house h(with_admin(), 1, log);
    BOOST_TEST(ask(h.port(), "POST", "/api/suspend?ttl=90&server=" + h.name(0), with_token).status == 200);
    BOOST_TEST(ask(h.port(), "POST", "/api/resume?server=nobody:1", with_token).status == 404);
    for (int i = 0; i < 20; ++i)
      BOOST_TEST(ask(h.port(), "POST", "/api/drain", "Authorization: Bearer tried-out-0123456\r\n").status == 401);
    BOOST_TEST(h.at->stop(5s));
  }
  const auto said = read_file(log);
  BOOST_TEST(has(said, "an operator ordered: suspend client=127.0.0.1"), said);
  BOOST_TEST(has(said, "ttl=90s"), said);
  BOOST_TEST(has(said, "an operator ordered: resume"), said);
  const auto first = said.find("refused an order: drain client=127.0.0.1");
  BOOST_TEST(first != std::string::npos, said);
  BOOST_TEST(said.find("refused an order", first + 1) == std::string::npos, said);  // it is no way to fill the disk
  BOOST_TEST(!has(said, "tried-out"), said);
  BOOST_TEST(!has(said, token), said);
}

BOOST_AUTO_TEST_CASE(the_status_has_the_history_of_the_last_five_minutes) {
  house h{http_settings{}};
  for (int i = 0; i < 5; ++i) BOOST_TEST(static_cast<bool>(h.at->client().perform(make_request(search_request{}), {})));
  nlohmann::json history, counted;
  BOOST_TEST(eventually([&] {
    history = h.status().at("operations").at("history");
    for (const auto& step : history.at("steps"))
      if (step.at("total") != 0) counted = step;
    return !counted.is_null();
  }));
  BOOST_TEST(history.at("step_ms") == 5000);
  BOOST_TEST(history.at("age_ms").get<double>() < 5000.0);
  BOOST_TEST(history.at("steps").size() == 60U);
  BOOST_TEST(history.at("steps").front().at("total") == 0);
  BOOST_TEST(history.at("steps").front().at("p99_ms").is_null());
  BOOST_TEST_REQUIRE(!counted.is_null());
  BOOST_TEST(counted.at("p50_ms").get<double>() > 0);
  BOOST_TEST(counted.at("p99_ms").get<double>() >= counted.at("p50_ms").get<double>());
}

BOOST_AUTO_TEST_CASE(texts_of_errors_are_not_for_everybody_who_reaches_the_endpoint) {
  http_settings everywhere;
  everywhere.listen = "0.0.0.0:0";
  for (const bool local : {true, false}) {
    house h(local ? http_settings{} : everywhere);
    BOOST_TEST(static_cast<bool>(h.at->client().perform(make_request(search_request{}), {})));
    h.servers[0]->stop();
    BOOST_TEST(eventually([&] { return get(h.port(), "/readyz").status == 503; }));
    const auto server = h.status().at("servers").at(0);
    BOOST_TEST_REQUIRE(!server.at("last_error").is_null());
    nlohmann::json check;
    BOOST_TEST(eventually([&] {
      check = h.status().at("servers").at(0).at("last_connect_check");
      return !check.is_null() && check.at("ok") == false;
    }));
    BOOST_TEST((check.at("error") == "withheld: the token shows it") == !local, check.dump());
    const auto verbose = get(h.port(), "/readyz?verbose").body;
    const auto error = server.at("last_error").get<std::string>();
    BOOST_TEST((error == "withheld: the token shows it") == !local, error);
    BOOST_TEST(has(verbose, "[-] " + h.name(0)), verbose);
    BOOST_TEST(has(verbose, "(withheld") == !local, verbose);
    raw_client client{h.port()};
    client.send(http_request_text("GET", "/api/events"));
    std::string seen;
    BOOST_TEST(eventually([&] {
                 seen += client.read_some(100ms);
                 return has(seen, h.name(0) + " is lost");
               }),
               seen);
    BOOST_TEST(has(seen, "\"cause\"") == local, seen);
  }
}

BOOST_AUTO_TEST_CASE(addresses_of_clients_and_nodes_are_not_for_everybody_either) {
  house h;
  runtime_snapshot state;
  client_snapshot client;
  client.address = "192.0.2.7:51312";
  client.operations = 17;
  state.clients = {client};
  state.node_clients = {{"client.example", "192.0.2.9:40000", "read", 1, 2, std::nullopt}};
  peer_snapshot peer;
  peer.name = "node2";
  peer.link = "dialled node2 (192.0.2.8:4100)";
  state.peers = {peer};
  const auto pages = std::make_shared<http_pages>(h.at->env(), settings{});
  for (const bool details : {true, false}) {
    page_wish wish;
    wish.page = http_page::status;
    wish.details = details;
    const auto body = pages->render(wish, &state, nullptr, false).body;
    for (const auto* address : {"192.0.2.7", "192.0.2.8", "192.0.2.9"}) BOOST_TEST(has(body, address) == details, body);
    BOOST_TEST(has(body, "\"name\":\"node2\""), body);
    BOOST_TEST(has(body, "\"operations\":17"), body);
    BOOST_TEST(has(body, "\"name\":\"client.example\""), body);
  }
}

BOOST_AUTO_TEST_CASE(the_token_may_come_from_a_file_or_a_command) {
  temporary_folder folder;
  http_settings from_file, from_command;
  from_file.admin_token_file = folder.write("token", token + "\n").string();
  from_command.admin_token_command = {"/bin/echo", token};
  for (const auto& http : {from_file, from_command}) {
    house h(http);
    BOOST_TEST(h.status().at("orders") == true);
    BOOST_TEST(ask(h.port(), "POST", "/api/reload", with_token).status == 202);
    BOOST_TEST(ask(h.port(), "POST", "/api/reload").status == 401);
  }
  // One that anybody could guess, and none at all.
  for (const auto* bad : {"short\n", "0123456789 abcdef\n"}) {
    http_settings http;
    http.listen = "127.0.0.1:0";
    http.admin_token_file = folder.write("bad", bad).string();
    BOOST_CHECK_THROW(house{http}, ldap_exception);
  }
}

BOOST_AUTO_TEST_CASE(events_are_streamed_as_they_happen) {
  house h;
  raw_client client{h.port()};
  client.send(http_request_text("GET", "/api/events"));
  std::string seen;
  const auto arrives = [&](const std::string& part) {
    return eventually([&] {
      seen += client.read_some(100ms);
      return has(seen, part);
    });
  };
  BOOST_TEST(arrives("text/event-stream"));
  BOOST_TEST(static_cast<bool>(h.at->client().perform(make_request(search_request{}), {})));
  BOOST_TEST(arrives("\"text\":\"" + h.name(0) + " serves\""), seen);
  h.servers[0]->stop();
  BOOST_TEST(arrives(h.name(0) + " is lost"), seen);
  BOOST_TEST(arrives("\"kind\":\"server\""));
}

BOOST_AUTO_TEST_CASE(who_comes_back_with_the_last_id_gets_what_came_after_it_or_all_of_a_new_process) {
  const auto read = [](const house& h, const std::string& id, const std::string& until) {
    raw_client client{h.port()};
    client.send(http_request_text("GET", "/api/events", id.empty() ? "" : "Last-Event-ID: " + id + "\r\n"));
    std::string seen;
    BOOST_TEST(eventually([&] {
                 seen += client.read_some(100ms);
                 return has(seen, until);
               }),
               seen);
    return seen;
  };
  // The first of its events, and the last one's id.
  const std::string first = "\"number\":1,";
  const auto last_id = [](const std::string& seen) {
    const auto at = seen.rfind("id: ") + 4;
    return seen.substr(at, seen.find('\n', at) - at);
  };
  std::string id;
  {
    house h;
    h.at->env()->log->write(log_level::info, "node", "before");
    const auto seen = read(h, "", "before");
    BOOST_TEST(has(seen, first), seen);
    id = last_id(seen);
    h.at->env()->log->write(log_level::info, "node", "meanwhile");
    const auto rest = read(h, id, "meanwhile");
    BOOST_TEST(!has(rest, first), rest);
    BOOST_TEST(!has(rest, "before"), rest);
  }
  // It has more events than its client has seen of the one before.
  house h;
  for (int i = 0; i < 50; ++i) h.at->env()->log->write(log_level::info, "node", "after the start");
  h.at->env()->log->write(log_level::info, "node", "the last");
  const auto seen = read(h, id, "the last");
  BOOST_TEST(has(seen, first), seen);
}

BOOST_AUTO_TEST_CASE(the_endpoint_shows_its_certificate_and_asks_for_one) {
  const certificate_set files;
  http_settings http;
  http.cert_path = files.server.certificate.string();
  http.key_path = files.server.key.string();
  http.ca_cert_path = files.ca.certificate().string();
  stub_directory server;
  settings all;
  all.servers.emplace_back().uri = server.url();
  all.http = http;
  all.http.listen = "127.0.0.1:0";
  all.log.level = log_level::error;
  runtime_options options;
  options.serve_http = true;
  const runtime at(std::make_shared<const settings>(checked(std::move(all))), std::move(options));
  const auto ask_by_tls = [&](std::vector<std::string> more) {
    std::vector<std::string> command{
        "openssl",  "s_client",          "-quiet", "-verify_return_error", "-CAfile", files.ca.certificate().string(),
        "-connect", at.http()->address()};
    command.insert(command.end(), more.begin(), more.end());
    child_process::options with;
    with.command = std::move(command);
    with.input = http_request_text("GET", "/livez", "Connection: close\r\n");
    return run_program(std::move(with)).output;
  };
  BOOST_TEST(has(ask_by_tls({"-cert", files.client.certificate.string(), "-key", files.client.key.string()}),
                 "HTTP/1.1 200 OK"));
  BOOST_TEST(ask_by_tls({}) == "");
  BOOST_TEST(get(port_of(at.http()->address()), "/livez").status == 0);  // without TLS
}

BOOST_AUTO_TEST_CASE(certificates_shown_follow_a_reload) {
  const certificate_set files;
  house h;
  BOOST_TEST(h.status().at("certificates").empty());
  auto next = *h.at->all();
  next.servers.at(0).use_tls = true;
  next.servers.at(0).ca_cert_path = files.ca.certificate().string();
  const auto done = h.at->reload(std::move(next));
  BOOST_TEST_REQUIRE(static_cast<bool>(done), (done.error ? describe(*done.error) : std::string{}));
  const auto shown = h.status().at("certificates");
  BOOST_TEST_REQUIRE(shown.size() == 1U, shown.dump());
  BOOST_TEST(shown.at(0).at("key") == h.name(0) + " ca_cert_path");
  BOOST_TEST(has(get(h.port(), "/metrics").body, "understudy_certificate_readable{use=\"" + h.name(0)));
}

BOOST_AUTO_TEST_CASE(a_thousand_stuck_clients_are_in_nobodys_way) {
  // Both ends of all of them are here.
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  house h;
  std::vector<std::unique_ptr<raw_client>> stuck;
  for (int i = 0; i < 1000; ++i) {
    stuck.push_back(std::make_unique<raw_client>(h.port()));
    if (i % 3 == 1) stuck.back()->send("GET /met");
    if (i % 100 == 99) BOOST_TEST(get(h.port(), "/livez").status == 200, i);
  }
  BOOST_TEST(get(h.port(), "/metrics").status == 200);
  BOOST_TEST(eventually([&] { return h.at->http()->clients() <= http_service::most_clients; }));
  BOOST_TEST(h.at->snapshot().value.has_value());
  stuck.clear();
  BOOST_TEST(eventually([&] { return h.at->http()->clients() == 0; }));
}

// Their connections stay open, and breakers are half open now and then: that is no evidence.
BOOST_AUTO_TEST_CASE(servers_that_hang_are_not_ready) {
  house h({}, 2);
  const auto ask_and_look = [&] {
    static_cast<void>(h.at->client().perform(make_request(search_request{}), {300ms}));
    return get(h.port(), "/readyz").status;
  };
  BOOST_TEST(ask_and_look() == 200);
  for (const auto& server : h.servers) server->pause();
  BOOST_TEST(eventually([&] { return ask_and_look() == 503; }));
  BOOST_TEST(holds_for([&] { return ask_and_look() == 503 && h.status().at("ready") == false; }, 6s));
  BOOST_TEST(h.status().at("servers").at(0).at("usable") == false);
  BOOST_TEST(h.status().at("active_priority").is_null());
  for (const auto& server : h.servers) server->resume();
  BOOST_TEST(eventually([&] { return ask_and_look() == 200; }));
}

BOOST_AUTO_TEST_CASE(who_drains_is_alive_and_not_ready) {
  house h;
  h.at->http()->drain();
  const auto ready = get(h.port(), "/readyz?verbose");
  BOOST_TEST(ready.status == 503);
  BOOST_TEST(has(ready.body, "not ready: draining\n[+] " + h.name(0)), ready.body);
  BOOST_TEST(get(h.port(), "/livez").status == 200);
  BOOST_TEST(get(h.port(), "/metrics").status == 200);
  BOOST_TEST(h.status().at("draining") == true);
  // Who is in is ended with the runtime.
  raw_client stays{h.port()};
  stays.send(http_request_text("GET", "/api/events"));
  BOOST_TEST(has(stays.read_some(), "text/event-stream"));
  BOOST_TEST(h.at->stop(1s));
  BOOST_TEST(eventually([&] {
    static_cast<void>(stays.read_some(100ms));
    return stays.last() == read_end::end_of_stream || stays.last() == read_end::reset;
  }));
  BOOST_TEST(!raw_client{h.port()}.connected());
}

BOOST_AUTO_TEST_CASE(a_slow_scraper_holds_up_nobody) {
  house h;
  raw_client slow{h.port()};
  // It asks again and again, and reads nothing.
  for (int i = 0; i < 2000; ++i) slow.send(http_request_text("GET", "/metrics"));
  BOOST_TEST(get(h.port(), "/metrics").status == 200);
  BOOST_TEST(get(h.port(), "/readyz").status == 200);
  BOOST_TEST(h.at->http()->clients() >= 1U);
}

BOOST_AUTO_TEST_CASE(garbage_and_oversized_headers_are_refused) {
  house h;
  for (const std::string bytes :
       {"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04 LDAP\r\n\r\n", "\r\n\r\n\r\n junk\r\n\r\n"}) {
    raw_client client{h.port()};
    client.send(bytes);
    BOOST_TEST(read_answer(client).status == 400);
  }
  raw_client large{h.port()};
  large.send("GET / HTTP/1.1\r\nX: " + std::string(60'000, 'x'));
  BOOST_TEST(read_answer(large).status == 431);
  BOOST_TEST(get(h.port(), "/livez").status == 200);
}

BOOST_AUTO_TEST_CASE(nothing_listens_without_an_address) {
  stub_directory server;
  settings all;
  all.servers.emplace_back().uri = server.url();
  all.log.level = log_level::error;
  runtime_options options;
  options.serve_http = true;
  const runtime at(std::make_shared<const settings>(checked(std::move(all))), std::move(options));
  BOOST_TEST(at.http() == nullptr);
}

BOOST_AUTO_TEST_CASE(serve_shows_the_console_at_the_address_of_an_option) {
  stub_directory server;
  child_process serve{{UNDERSTUDY_PROGRAM, "serve", "-H", server.url(), "--http", "127.0.0.1:0"}};
  const std::string key = "listens for HTTP address=";
  std::string address;
  BOOST_TEST_REQUIRE(eventually([&] {
                       const auto said = serve.error_output();
                       const auto at = said.find(key);
                       if (at == std::string::npos || !has(said, "ready: ")) return false;
                       address =
                           said.substr(at + key.size(), said.find_first_of(" \n", at + key.size()) - at - key.size());
                       return true;
                     }),
                     serve.error_output());
  BOOST_TEST(has(get(port_of(address), "/").body, "<title>Understudy</title>"));
  BOOST_TEST(get(port_of(address), "/readyz").status == 200);
  serve.send_signal(SIGTERM);
  BOOST_TEST(serve.wait().value_or(-1) == 0, serve.error_output());
  BOOST_TEST(has(serve.error_output(), "listens for HTTP at " + address));
}
