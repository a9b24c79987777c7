// `understudy serve` as a node: a process of its own, clients over real links, signals, strangers.
#include "served_node.hpp"
#include "remote_client.hpp"
#include "support/fault_gate.hpp"
#include "support/free_port.hpp"
#include "support/raw_client.hpp"
#include "understudy/actors/node/gateway_state.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>
#include <regex>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// What a client with that permission may have the node do, asked as bytes; empty: begun.
std::string give_order(const test_caller& by, request_kind kind) {
  request_frame frame;
  frame.kind = kind;
  frame.number = 1;
  frame.left = seconds{5};
  const auto read = internal::decode_answer(by.ask(encode(frame)));
  BOOST_TEST_REQUIRE(read.value.has_value());
  return read.value->error ? read.value->error->message : "";
}

/// The most memory that it ever had.
std::size_t peak_megabytes(const child_process& of) {
  std::ifstream file{"/proc/" + std::to_string(of.pid()) + "/status"};
  std::string word;
  std::size_t kilobytes = 0;
  while (file >> word)
    if (word == "VmHWM:") file >> kilobytes;
  return kilobytes / 1024;
}

/// What is found below uid=ann from now on.
void find_photos(stub_directory& directory, std::size_t bytes) {
  directory.when([](const directory_request& r) { return r.kind == operation::search && r.dn == "uid=ann"; },
                 [photo = std::string(bytes, 'x')](const directory_request&) {
                   return reply{{.entries = {{"uid=ann", {{"photo", {photo}}}}}}, {}};
                 });
}

/// So many searches for one, at once.
class photo_searches {
 public:
  photo_searches(remote_client& client, int count, milliseconds limit) {
    call order;
    search_request request;
    request.base = "uid=ann";
    order.what = make_request(request);
    order.deadline = client.links.env->clock->now() + limit;
    client.links.system.spawn([known = known_, to = client.manager, order, count](caf::event_based_actor* self) {
      for (int i = 0; i < count; ++i)
        self->request(to, caf::infinite, perform_atom_v, order)
            .then([known](const result_ptr&) { ++known->ended; },
                  [known](const caf::error& e) {
                    {
                      const std::lock_guard lock{known->mutex};
                      known->failure = describe(*failure_of(e));
                    }
                    ++known->failed;
                    ++known->ended;
                  });
    });
  }
  int ended() const { return known_->ended; }
  int failed() const { return known_->failed; }
  /// The last one.
  std::string failure() const {
    const std::lock_guard lock{known_->mutex};
    return known_->failure;
  }

 private:
  struct counts {
    std::atomic<int> ended{0}, failed{0};
    std::mutex mutex;
    std::string failure;
  };
  const std::shared_ptr<counts> known_ = std::make_shared<counts>();
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_served_node_says_where_it_listens_and_who_comes_and_goes) {
  served_node node{node_section() + listener_at(0)};
  node.await_ready();
  const auto name = "127.0.0.1:" + std::to_string(node.port());
  BOOST_TEST(node.manager.seen().back().find("; listens for nodes at " + name + " (write)") != std::string::npos,
             node.manager.seen().back());
  {
    remote_client client{{node.port()}};
    const auto found = client.perform(find_user());
    BOOST_TEST_REQUIRE(found.ok());
    BOOST_TEST((*found.value)->entries.size() == 1U);
    BOOST_TEST((*found.value)->server == "127.0.0.1:" + std::to_string(node.directory.port()));
    BOOST_TEST(node.says("a node has come in"));
    BOOST_TEST(node.says("client.example"));
    BOOST_TEST(client.links.log->says("linked to a node node=served permission=write"), client.links.log->all());
  }
  BOOST_TEST(node.says("the link to a node has ended"));
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_node_without_a_name_has_the_machines_and_plain_text_is_for_this_machine) {
  served_node node{listener_at(0, "insecure_loopback = true\n")};
  remote_client client{{node.port()}, std::nullopt};
  BOOST_TEST(client.perform(find_user()).ok());
  char name[256] = "";
  BOOST_TEST_REQUIRE(::gethostname(name, sizeof name - 1) == 0);
  BOOST_TEST(client.links.log->says("linked to a node node=" + std::string{name} + " permission=read"),
             client.links.log->all());
  BOOST_TEST(node.says("encryption=none"));
  node.stop();
}

BOOST_AUTO_TEST_CASE(each_listener_has_its_permission_authorities_and_revocation_lists) {
  const auto& known = node_certificates();
  served_node node{node_section() + listener_at(0, "") +
                   listener_at(0, "ca_cert_path = " + quoted(known.other_ca.certificate()) + "\n") +
                   listener_at(0, "crl_path = " + quoted(known.crl) + "\nmax_peers = 1\n")};
  std::vector<std::uint16_t> ports;
  const std::regex line{"listens for nodes address=\"?127\\.0\\.0\\.1:([0-9]+)"};
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto text = node.process->error_output();
    ports.clear();
    for (std::sregex_iterator each{text.begin(), text.end(), line}, end; each != end; ++each)
      ports.push_back(static_cast<std::uint16_t>(std::stoi((*each)[1])));
    return ports.size() == 3;
  }));
  remote_client reader{{ports[0]}};
  BOOST_TEST(reader.perform(find_user()).ok());
  const auto refused = reader.perform(delete_request{"cn=a"});
  BOOST_TEST((refused.code() == errc::invalid_request));
  test_node other;
  BOOST_TEST(!test_caller(other, {ports[1]}).unreachable().empty());
  BOOST_TEST(test_caller(other, {ports[1]}, caller_certificates(known.of_other_ca)).linked());
  BOOST_TEST(test_caller(other, {ports[2]}, caller_certificates(known.revoked)).unreachable().find("revoked") !=
             std::string::npos);
  // max_peers
  test_node third;
  const test_caller first{other, {ports[2]}};
  // Who has been answered is in; before that a caller yields to the next one.
  BOOST_TEST(!first.ask("hello").starts_with("error"));
  BOOST_TEST(!test_caller(third, {ports[2]}).unreachable().empty());
  node.stop();
}

BOOST_AUTO_TEST_CASE(scenario_45_a_node_that_is_killed_is_found_again_and_its_address_with_it) {
  const reserved_port port;
  served_node node{node_section() + listener_at(port.number())};
  node.await_ready();
  remote_client client{{port.number()}};
  const auto found = client.perform(find_user());
  BOOST_TEST_REQUIRE(found.ok(), (found.error ? describe(*found.error) : "") << client.links.log->all());
  node.process->kill9();
  node.start();
  // While no node is there requests fail at once.
  BOOST_TEST(eventually([&] { return client.perform(find_user()).ok(); }));
  BOOST_TEST(client.perform(delete_request{"cn=a"}).ok());
  BOOST_TEST(node.directory.count(operation::remove) == 1U);
  node.stop();
}

BOOST_AUTO_TEST_CASE(scenario_40_a_node_that_is_stopped_under_load_gives_every_request_one_outcome) {
  served_node node{node_section() + listener_at(0)};
  node.await_ready();
  // Writes that are under way when the signal comes are waited for.
  node.directory.disturb(operation::remove, {.delay = 20ms});
  remote_client client{{node.port()}};
  outcomes seen;
  std::atomic<bool> enough{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      while (!enough) {
        ++seen.begun;
        seen.note(i % 2 == 0 ? client.perform(delete_request{"cn=a"}, 3s) : client.perform(find_user(), 3s));
      }
    });
  BOOST_TEST(eventually([&] { return node.directory.count(operation::remove) >= 20; }));
  node.process->send_signal(SIGTERM);
  const auto code = node.process->wait();
  enough = true;
  for (auto& each : callers) each.join();
  BOOST_TEST((code == 0), node.process->error_output());
  BOOST_TEST(seen.ok >= 20);
  BOOST_TEST(seen.ok + seen.unknown + seen.refused + seen.strange == seen.begun);
  BOOST_TEST(seen.strange == 0, seen.first_strange);
  // Nothing that the directory was asked is lost: the node answers before it ends its links.
  BOOST_TEST(seen.unknown == 0);
  const auto text = node.process->error_output();
  BOOST_TEST(text.find("service: stopping") < text.find("the link to a node has ended"));
  BOOST_TEST(text.find("service: stopped; what had not finished") == std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(scenario_39_listeners_of_a_node_are_added_and_changed_and_nobody_is_cut_off) {
  const reserved_port first, second;
  served_node node{node_section() + listener_at(first.number(), "")};
  node.await_ready();
  remote_client stays{{first.number()}};
  BOOST_TEST_REQUIRE(stays.perform(find_user()).ok());
  BOOST_TEST((stays.perform(delete_request{"cn=a"}).code() == errc::invalid_request));
  // Its permission counts for who is in; another address is there at once.
  node.reload(node_section() + listener_at(first.number()) + listener_at(second.number()));
  BOOST_TEST(stays.perform(delete_request{"cn=a"}).ok());
  remote_client comes{{second.number()}};
  BOOST_TEST(comes.perform(find_user()).ok());
  // Nobody's certificate is judged otherwise by the same files.
  node.reload(node_section() + listener_at(first.number()) + listener_at(second.number(), ""));
  BOOST_TEST(stays.perform(find_user()).ok());
  BOOST_TEST(comes.perform(find_user()).ok());
  BOOST_TEST(!stays.links.log->says("the link to a node has ended"), stays.links.log->all());
  BOOST_TEST(!comes.links.log->says("the link to a node has ended"), comes.links.log->all());
  // An address that is taken, and what takes a restart.
  node.reload(node_section() + listener_at(first.number()) + listener_at(node.directory.port()),
              "the configuration was refused, the earlier one stays");
  BOOST_TEST(node.says("another process listens there"));
  BOOST_TEST(stays.perform(find_user()).ok());
  node.reload(node_section() + listener_at(first.number(), "insecure_loopback = true\n"));
  BOOST_TEST(node.says("needs_restart=node.listeners.insecure_loopback"));
  test_node other;
  BOOST_TEST(test_caller(other, {first.number()}).linked());
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_listener_that_would_be_in_the_way_of_itself_takes_a_restart) {
  const reserved_port port;
  const auto at = [&](const std::string& host) {
    return node_section() + "[[node.listeners]]\naddress = \"" + host + ':' + std::to_string(port.number()) + "\"\n";
  };
  served_node node{at("127.0.0.1")};
  node.await_ready();
  node.reload(at("0.0.0.0"), "that takes a restart");
  BOOST_TEST(node.process->error_output().find("another process") == std::string::npos, node.process->error_output());
  remote_client guest{{port.number()}};
  BOOST_TEST(guest.perform(find_user()).ok());
  node.stop();
}

BOOST_AUTO_TEST_CASE(an_address_that_is_spelt_otherwise_is_the_same_listener) {
  const reserved_port port;
  const auto at = [&](const std::string& host) {
    return node_section() + "[[node.listeners]]\naddress = \"" + host + ':' + std::to_string(port.number()) + "\"\n";
  };
  served_node node{at("")};
  node.await_ready();
  node.reload(at("[::]"));
  remote_client guest{{port.number()}};
  BOOST_TEST(guest.perform(find_user()).ok());
  BOOST_TEST(node.process->error_output().find("does not listen for nodes any more") == std::string::npos);
  node.stop();
}

BOOST_AUTO_TEST_CASE(on_this_machine_max_peers_counts_peers_and_strangers_take_no_place) {
  served_node node{node_section() + listener_at(0, "insecure_loopback = true\nmax_peers = 1000\n")};
  node.await_ready();
  std::vector<std::unique_ptr<raw_client>> crowd;
  for (int i = 0; i < 110; ++i) {
    crowd.push_back(std::make_unique<raw_client>(node.port()));
    BOOST_TEST_REQUIRE(crowd.back()->connected());
  }
  node.reload(node_section() + listener_at(0, "insecure_loopback = true\nmax_peers = 1000\n"));
  BOOST_TEST(node.process->error_output().find("turned away") == std::string::npos, node.process->error_output());
  crowd.clear();
  node.stop();

  served_node small{node_section() + listener_at(0, "permission = \"write\"\nmax_peers = 1\n")};
  small.await_ready();
  raw_client mute{small.port()};
  BOOST_TEST_REQUIRE(mute.connected());
  remote_client guest{{small.port()}};
  BOOST_TEST(guest.perform(find_user()).ok());
  BOOST_TEST(small.says("its handshake was not complete when another client came"));
  small.stop();
}

BOOST_AUTO_TEST_CASE(scenario_39_who_came_by_a_listener_that_is_gone_finishes_and_goes) {
  const reserved_port first, second;
  served_node node{node_section() + listener_at(first.number()) + listener_at(second.number())};
  node.await_ready();
  remote_client stays{{first.number()}}, moves{{second.number(), first.number()}}, ends{{second.number()}};
  for (auto* each : {&stays, &moves, &ends}) BOOST_TEST_REQUIRE(each->perform(find_user()).ok());
  node.directory.disturb(operation::remove, {.delay = 2s}, 1);
  auto under_way = std::async(std::launch::async, [&] { return moves.perform(delete_request{"cn=a"}); });
  BOOST_TEST_REQUIRE(eventually([&] { return node.directory.count(operation::remove) == 1; }));
  node.reload(node_section() + listener_at(first.number()));
  BOOST_TEST(node.says("does not listen for nodes any more; who is in finishes and goes"));
  BOOST_TEST(!raw_client{second.number()}.connected());
  const auto finished = under_way.get();
  BOOST_TEST(finished.ok(), (finished.error ? describe(*finished.error) : ""));
  // What is new goes elsewhere, if there is an elsewhere.
  const auto found = moves.perform(find_user());
  BOOST_TEST(found.ok(), (found.error ? describe(*found.error) : ""));
  BOOST_TEST(moves.links.log->says("the node is being drained"), moves.links.log->all());
  BOOST_TEST((ends.perform(find_user(), 3s).code() == errc::connection_failed));
  BOOST_TEST(stays.perform(find_user()).ok());
  BOOST_TEST(!stays.links.log->says("the link to a node has ended"), stays.links.log->all());
  node.stop();
}

BOOST_AUTO_TEST_CASE(scenario_39_who_is_not_trusted_any_more_is_answered_and_goes) {
  const auto& known = node_certificates();
  const reserved_port port, revoking;
  temporary_folder files;
  const auto authorities = files.path() / "authorities.pem";
  const auto trust = [&](const std::filesystem::path& from) {
    std::filesystem::copy_file(from, authorities, std::filesystem::copy_options::overwrite_existing);
  };
  trust(known.ca.certificate());
  const auto at_first =
      node_section() +
      listener_at(port.number(), "permission = \"write\"\nca_cert_path = " + quoted(authorities) + '\n');
  served_node node{at_first + listener_at(revoking.number())};
  node.await_ready();
  remote_client busy{{port.number()}}, idle{{port.number()}}, other{{revoking.number()}},
      revoked{{revoking.number()}, caller_certificates(known.revoked)};
  for (auto* each : {&busy, &idle, &other, &revoked}) BOOST_TEST_REQUIRE(each->perform(find_user()).ok());
  node.directory.disturb(operation::remove, {.delay = 2s}, 1);
  auto under_way = std::async(std::launch::async, [&] { return busy.perform(delete_request{"cn=a"}); });
  BOOST_TEST_REQUIRE(eventually([&] { return node.directory.count(operation::remove) == 1; }));
  // Under the same name, as authorities are exchanged as a rule; the other listener gets a revocation list.
  trust(known.other_ca.certificate());
  node.reload(at_first +
              listener_at(revoking.number(), "permission = \"write\"\ncrl_path = " + quoted(known.crl) + '\n'));
  BOOST_TEST(eventually([&] { return idle.links.log->says("the link to a node has ended"); }), idle.links.log->all());
  BOOST_TEST(eventually([&] { return revoked.links.log->says("the link to a node has ended"); }),
             revoked.links.log->all());
  BOOST_TEST(node.says("its certificate is not trusted any more: self-signed certificate in certificate chain"));
  BOOST_TEST(node.says("its certificate is not trusted any more: certificate revoked"));
  const auto finished = under_way.get();
  BOOST_TEST(finished.ok(), (finished.error ? describe(*finished.error) : ""));
  BOOST_TEST(eventually([&] { return busy.links.log->says("the link to a node has ended"); }), busy.links.log->all());
  BOOST_TEST(!idle.perform(find_user(), 3s).ok());
  BOOST_TEST(other.perform(find_user()).ok());
  BOOST_TEST(!other.links.log->says("the link to a node has ended"), other.links.log->all());
  test_node next;
  BOOST_TEST(test_caller(next, {port.number()}, caller_certificates(known.of_other_ca)).linked());
  node.stop();
}

BOOST_AUTO_TEST_CASE(status_names_the_clients_of_a_node_and_what_came_and_went) {
  served_node node{node_section() + listener_at(0)};
  node.await_ready();
  remote_client client{{node.port()}};
  BOOST_TEST_REQUIRE(client.perform(find_user()).ok());
  const auto ask = [&](const std::string& form) {
    child_process status{child_process::options{
        {UNDERSTUDY_PROGRAM, "status", form, "--node", "127.0.0.1:" + std::to_string(node.port()), "--node-ca",
         node_certificates().ca.certificate(), "--node-cert", node_certificates().client.certificate, "--node-key",
         node_certificates().client.key}}};
    BOOST_TEST((status.wait() == 0), status.error_output());
    return status.output();
  };
  const auto text = ask("--timeout=30");
  BOOST_TEST(text.find("clients of this node: 2 now\n    client.example (127.0.0.1:") != std::string::npos, text);
  const std::regex line{
      "client\\.example \\(127\\.0\\.0\\.1:[0-9]+\\)  write  [1-9][0-9]+ bytes received, [1-9][0-9]+ sent  since 20"};
  BOOST_TEST(std::regex_search(text, line), text);
  const auto json = ask("--json");
  BOOST_TEST(json.find("\"name\": \"client.example\"") != std::string::npos, json);
  // Who asks is one, without a name but that of its certificate.
  BOOST_TEST(json.find("\"name\": \"CN=service\"") != std::string::npos, json);
  BOOST_TEST(json.find("\"more_node_clients\": 0") != std::string::npos, json);
  node.stop();
}

BOOST_AUTO_TEST_CASE(status_says_how_long_the_first_of_those_who_wait_waits) {
  served_node node{node_section() + listener_at(0), "bind_connections = 1\n"};
  node.await_ready();
  remote_client client{{node.port()}};
  BOOST_TEST_REQUIRE(client.perform(find_user()).ok());
  const auto ask_status = [&](const std::string& form) {
    child_process status{child_process::options{
        {UNDERSTUDY_PROGRAM, "status", form, "--node", "127.0.0.1:" + std::to_string(node.port()), "--node-ca",
         node_certificates().ca.certificate(), "--node-cert", caller_certificate().certificate, "--node-key",
         caller_certificate().key}}};
    BOOST_TEST((status.wait() == 0), status.error_output());
    return status.output();
  };
  BOOST_TEST(ask_status("--json").find("\"longest_wait_ms\": 0.0") != std::string::npos);
  node.directory.disturb(operation::bind, {.delay = 20s});
  std::vector<std::future<answer<result_ptr>>> binds;
  for (int i = 0; i < 2; ++i)
    binds.push_back(std::async(std::launch::async, [&] {
      return client.perform(bind_request{"uid=ann,dc=example,dc=com", secret{"hers"}}, 15s);
    }));
  std::string text;
  const std::regex waits{"1 waiting \\(the longest for [0-9.]+ ?m?s\\)"};
  BOOST_TEST(eventually([&] { return std::regex_search(text = ask_status("--timeout=5"), waits); }), text);
  const auto json = ask_status("--json");
  BOOST_TEST(json.find("\"waiters\": 1") != std::string::npos, json);
  BOOST_TEST(json.find("\"longest_wait_ms\": 0.0") == std::string::npos, json);
  node.process->kill9();
  for (auto& each : binds) each.get();
}

BOOST_AUTO_TEST_CASE(enable_compression_makes_results_smaller_where_both_sides_have_it) {
  std::vector<entry> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back({"uid=user" + std::to_string(i) + ",ou=people,dc=example,dc=com",
                    {{"mail", {"user" + std::to_string(i) + "@example.com"}}}});
  const auto bytes_of_a_search = [&](bool node_has_it, bool client_has_it) {
    served_node node{node_section() + listener_at(0), node_has_it ? "enable_compression = true\n" : ""};
    node.directory.set_entries(many);
    settings all;
    all.pool.enable_compression = client_has_it;
    remote_client client{{node.port()}, caller_certificates(), all};
    const auto found = client.perform(find_user());
    BOOST_TEST_REQUIRE(found.ok(), (found.error ? describe(*found.error) : ""));
    BOOST_TEST((*found.value)->entries.size() == many.size());
    BOOST_TEST((*found.value)->entries.back().dn == many.back().dn);
    const auto received = client.links.links->peers().at(0).received;
    node.stop();
    return received;
  };
  const auto plain = bytes_of_a_search(false, false);
  BOOST_TEST(plain > 50'000U);
  BOOST_TEST(bytes_of_a_search(true, true) < plain / 3);
  BOOST_TEST(bytes_of_a_search(true, false) > plain * 9 / 10);
  BOOST_TEST(bytes_of_a_search(false, true) > plain * 9 / 10);
}

BOOST_AUTO_TEST_CASE(listeners_that_come_where_there_were_none_take_a_restart) {
  const reserved_port port;
  served_node node{node_section()};
  node.await_ready();
  node.reload(node_section() + listener_at(port.number()));
  BOOST_TEST(node.says("needs_restart=node.listeners"));
  BOOST_TEST(!raw_client{port.number()}.connected());
  node.stop();
}

BOOST_AUTO_TEST_CASE(an_address_that_is_taken_ends_the_start_with_3) {
  const stub_directory taken;
  served_node node{node_section() + listener_at(taken.port())};
  BOOST_TEST((node.process->wait() == 3), node.process->error_output());
  BOOST_TEST(node.says("cannot start: "));
  BOOST_TEST(node.says("127.0.0.1:" + std::to_string(taken.port()) + ": bind: "));
  BOOST_TEST(node.says("another process listens there"));
}

BOOST_AUTO_TEST_CASE(who_may_orders_a_reload_and_the_end_as_signals_do) {
  served_node node{node_section() + listener_at(0, "permission = \"admin\"\n")};
  node.await_ready();
  test_node other;
  const test_caller operators{other, {node.port()}};
  BOOST_TEST(give_order(operators, request_kind::reload) == "");
  BOOST_TEST(node.says("the configuration was read again and applied"));
  BOOST_TEST(give_order(operators, request_kind::drain) == "");
  BOOST_TEST((node.process->wait() == 0), node.process->error_output());
  BOOST_TEST(node.says("a client has ordered the drain"));
  BOOST_TEST(node.says("service: stopped"));
}

BOOST_AUTO_TEST_CASE(who_may_only_read_orders_nothing) {
  served_node node{node_section() + listener_at(0, "")};
  node.await_ready();
  test_node other;
  const test_caller reader{other, {node.port()}};
  BOOST_TEST(give_order(reader, request_kind::drain).find("it needs \"admin\"") != std::string::npos);
  BOOST_TEST(give_order(reader, request_kind::reload).find("it needs \"admin\"") != std::string::npos);
  BOOST_TEST(node.process->running());
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_port_that_the_system_chose_may_be_named_by_a_reload) {
  served_node node{node_section() + listener_at(0, "")};
  node.await_ready();
  remote_client stays{{node.port()}};
  BOOST_TEST((stays.perform(delete_request{"cn=a"}).code() == errc::invalid_request));
  node.reload(node_section() + listener_at(node.port()));
  BOOST_TEST(stays.perform(delete_request{"cn=a"}).ok());
  node.reload(node_section() + listener_at(node.port(), "insecure_loopback = true\n"));
  BOOST_TEST(node.says("needs_restart=node.listeners.insecure_loopback"));
  BOOST_TEST(!stays.links.log->says("the link to a node has ended"), stays.links.log->all());
  BOOST_TEST(node.times("listens for nodes address") == 1U);
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_slow_client_costs_a_node_no_more_memory_than_its_bounds) {
  constexpr int asked = 90, connections = 4;
  // However slow directory and node are on a busy machine: neither is left for that.
  served_node node{node_section() + listener_at(0), "max_connections = " + std::to_string(connections) +
                                                        "\n[breaker]\nsuspect_after = \"10s\"\nslow_call = \"60s\"\n"};
  node.await_ready();
  find_photos(node.directory, 3'000'000);
  fault_gate gate{node.port()};
  remote_client slow{{gate.port()}}, guest{{node.port()}};
  BOOST_TEST_REQUIRE(slow.perform(find_user()).ok());
  BOOST_TEST_REQUIRE(guest.perform(find_user()).ok());
  const auto before = peak_megabytes(*node.process);
  gate.set({.bytes_per_second = 100'000});
  const photo_searches all{slow, asked, seconds{8}};
  BOOST_TEST(eventually([&] { return node.directory.requests(operation::search).size() > 20U; }));
  // Others are served meanwhile.
  while (all.ended() < asked) {
    const auto answer = guest.perform(find_user(), seconds{60});
    BOOST_TEST_REQUIRE(answer.ok(),
                       (answer.error ? describe(*answer.error) : "") + '\n' + node.process->error_output());
  }
  const auto grown = peak_megabytes(*node.process) - before;
  BOOST_TEST_MESSAGE(grown << " MB more at the most");
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  const gateway_limits bounds;
  // What the meter counts; the two buffers of CAF, which double; an answer beside its frame while that is made of it.
  const auto of_link = bounds.most_held + 4 * bounds.most_untaken + 2 * std::size_t{bounds.longest_frame};
  // An entry that has not come whole: its buffer doubles, and while it grows there are two.
  const std::size_t of_connections = connections * 3 * 3'000'000;
  // What the allocator holds free (see serve), and the rest of the program.
  const std::size_t of_others = 24'000'000;
  BOOST_TEST(grown < (of_link + of_connections + of_others) / (1024 * 1024));
#endif
  gate.heal();
  BOOST_TEST(eventually([&] { return slow.perform(find_user()).ok(); }, seconds{60}));
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_client_that_reads_gets_all_that_it_asks_for_at_a_time) {
  // However slow the directory is under the sanitizers: it is not left, and nothing is asked twice for that.
  served_node node{node_section() + listener_at(0), "[breaker]\nsuspect_after = \"10s\"\n"};
  node.await_ready();
  remote_client client{{node.port()}};
  BOOST_TEST_REQUIRE(client.perform(find_user()).ok());
  const auto searches = [&] {
    const auto all = node.directory.requests(operation::search);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& each) { return each.dn == "uid=ann"; }));
  };
  // They fit whole, however much faster they are read than sent: each is read once.
  find_photos(node.directory, 1'000'000);
  const photo_searches megabytes{client, 64, seconds{60}};
  BOOST_TEST(eventually([&] { return megabytes.ended() == 64; }, seconds{60}));
  BOOST_TEST(megabytes.failed() == 0, megabytes.failure());
  BOOST_TEST(searches() == 64U);
  // More than fits at a time.
  find_photos(node.directory, 3'000'000);
  const photo_searches more{client, 30, seconds{60}};
  BOOST_TEST(eventually([&] { return more.ended() == 30; }, seconds{60}));
  BOOST_TEST(more.failed() == 0, more.failure());
  BOOST_TEST(searches() <= 64U + 2 * 30, "each is asked for once more at the most");
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_client_that_ends_is_no_warning_and_one_that_is_killed_is) {
  served_node node{node_section() + listener_at(0)};
  node.await_ready();
  const std::vector<std::string> to_node{
      "--node",      "127.0.0.1:" + std::to_string(node.port()), "--node-ca",  node_certificates().ca.certificate(),
      "--node-cert", caller_certificate().certificate,           "--node-key", caller_certificate().key};
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.end(), to_node.begin(), to_node.end());
    return child_process{child_process::options{std::move(words)}};
  };
  auto search = run({UNDERSTUDY_PROGRAM, "search", "-b", "dc=example,dc=com", "(objectClass=*)"});
  BOOST_TEST((search.wait() == 0), search.error_output());
  BOOST_TEST(node.says("the link to a node has ended"));
  BOOST_TEST(node.says("cause=\"the peer closed the link\""));
  BOOST_TEST(node.times(" warning ") == 0U, node.process->error_output());
  auto watch = run({UNDERSTUDY_PROGRAM, "status", "--watch"});
  BOOST_TEST_REQUIRE(eventually([&] { return node.times("a node has come in") == 2; }));
  watch.kill9();
  BOOST_TEST(node.says(" warning node: the link to a node has ended"));
  node.stop();
}

BOOST_AUTO_TEST_CASE(scenario_47_strangers_at_its_port_leave_a_node_serving) {
  served_node node{node_section() + listener_at(0)};
  node.await_ready();
  remote_client guest{{node.port()}};
  BOOST_TEST_REQUIRE(guest.perform(find_user()).ok());
  const auto resident = [&] {
    std::ifstream file{"/proc/" + std::to_string(node.process->pid()) + "/statm"};
    std::size_t all = 0, pages = 0;
    file >> all >> pages;
    return pages * 4096 / (1024 * 1024);
  };
  const auto before = resident();
  // BASP without TLS, with the longest payload that its header can say; HTTP; half of a handshake; nothing.
  std::vector<std::unique_ptr<raw_client>> crowd;
  for (int i = 0; i < 20; ++i)
    for (const auto& bytes : {std::string(64, '\xff'), std::string("GET / HTTP/1.1\r\n\r\n"),
                              std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), std::string{}}) {
      crowd.push_back(std::make_unique<raw_client>(node.port()));
      BOOST_TEST_REQUIRE(crowd.back()->connected());
      crowd.back()->send(bytes);
    }
  // A good handshake with a certificate of somebody else's authority, and with none.
  test_node other;
  auto nothing = caller_certificates();
  nothing.certificate_path.clear();
  nothing.key_path.clear();
  BOOST_TEST(test_caller(other, {node.port()}, nothing).unreachable().find("certificate required") !=
             std::string::npos);
  BOOST_TEST(test_caller(other, {node.port()}, caller_certificates(node_certificates().of_other_ca))
                 .unreachable()
                 .find("unknown ca") != std::string::npos);
  // And one whose certificate is good and whose bytes are none of BASP.
  byte_peer garbage{other, node.port()};
  BOOST_TEST(garbage.send(std::string(4096, '\xff')));
  BOOST_TEST(garbage.ended());
  BOOST_TEST(guest.perform(find_user()).ok());
  BOOST_TEST(!guest.links.log->says("the link to a node has ended"), guest.links.log->all());
  BOOST_TEST(node.says("did not get in"));
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  BOOST_TEST(resident() < before + 60, resident() << " MB, and " << before << " MB before");
#endif
  node.stop();
}
