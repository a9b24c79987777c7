// `understudy serve` as a node: a process of its own, clients over real links, signals, strangers.
#include "remote_client.hpp"
#include "support/child_process.hpp"
#include "support/free_port.hpp"
#include "support/notify_socket.hpp"
#include "support/raw_client.hpp"
#include "support/stub_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

#include <fstream>
#include <regex>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

std::string quoted(const std::filesystem::path& path) { return '"' + path.string() + '"'; }

/// "[node]" with its certificate, or with another of the same authority.
std::string node_section(const certificate_files& shown = node_certificates().server) {
  return "[node]\nname = \"served\"\ncert_path = " + quoted(shown.certificate) + "\nkey_path = " + quoted(shown.key) +
         "\nca_cert_path = " + quoted(node_certificates().ca.certificate()) + '\n';
}

std::string listener_at(std::uint16_t port, const std::string& more = "permission = \"write\"\n") {
  return "[[node.listeners]]\naddress = \"127.0.0.1:" + std::to_string(port) + "\"\n" + more;
}

/// The program with a directory behind it.
class served_node {
 public:
  explicit served_node(const std::string& sections) {
    write(sections);
    start();
  }

  void write(const std::string& sections) {
    folder_.write("node.toml", "[ldap]\nuri = \"" + directory.url() +
                                   "\"\n[pool]\nmin_connections = 2\n[limits]\ndrain_timeout = \"5s\"\n" + sections);
  }
  void start() {
    process = std::make_unique<child_process>(
        child_process::options{{UNDERSTUDY_PROGRAM, "serve", "-c", (folder_.path() / "node.toml").string()},
                               {},
                               {"NOTIFY_SOCKET=" + manager.name()},
                               {}});
  }
  void await_ready() { BOOST_TEST_REQUIRE(manager.await("READY=1"), process->error_output()); }
  bool says(const std::string& part) const {
    const bool said = eventually([&] { return process->error_output().find(part) != std::string::npos; });
    BOOST_TEST(said, "expected \"" << part << "\" in: " << process->error_output());
    return said;
  }
  /// SIGHUP; waits until the service says what came of it.
  void reload(const std::string& sections, const std::string& then = "the configuration was read again and applied") {
    const auto before = times(then);
    write(sections);
    process->send_signal(SIGHUP);
    BOOST_TEST(eventually([&] { return times(then) > before; }), process->error_output());
  }
  /// The first port that it has said to listen at.
  std::uint16_t port() const {
    std::smatch found;
    const std::regex line{"listens for nodes address=\"?127\\.0\\.0\\.1:([0-9]+)"};
    std::string text;
    BOOST_TEST_REQUIRE(eventually([&] {
                         text = process->error_output();
                         return std::regex_search(text, found, line);
                       }),
                       text);
    return static_cast<std::uint16_t>(std::stoi(found[1]));
  }
  void stop() {
    process->send_signal(SIGTERM);
    BOOST_TEST((process->wait() == 0), process->error_output());
  }

  stub_directory directory;
  notify_socket manager;
  std::unique_ptr<child_process> process;

 private:
  std::size_t times(const std::string& part) const {
    const auto text = process->error_output();
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
  }

  temporary_folder folder_;
};

search_request find_user() {
  search_request request;
  request.base = "dc=example,dc=com";
  request.filter = "(uid=user1)";
  return request;
}

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

/// Requests that went out by several threads, each with its one outcome.
struct outcomes {
  std::atomic<int> begun{0}, ok{0}, unknown{0}, refused{0}, strange{0};
  std::mutex mutex;
  std::string first_strange;

  void note(const answer<result_ptr>& got) {
    if (got.ok()) {
      ++ok;
    } else if (got.code() == errc::outcome_unknown) {
      ++unknown;
    } else if (got.code() == errc::draining || got.code() == errc::stopped || got.code() == errc::connection_failed ||
               got.code() == errc::no_server || got.code() == errc::operation_timeout) {
      ++refused;
    } else {
      ++strange;
      const std::lock_guard lock{mutex};
      if (first_strange.empty()) first_strange = describe(*got.error);
    }
  }
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
  BOOST_TEST(first.linked());
  BOOST_TEST(!test_caller(third, {ports[2]}).unreachable().empty());
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_served_node_that_is_killed_is_found_again_and_its_address_with_it) {
  const reserved_port port;
  served_node node{node_section() + listener_at(port.number())};
  node.await_ready();
  remote_client client{{port.number()}};
  BOOST_TEST_REQUIRE(client.perform(find_user()).ok());
  node.process->kill9();
  node.start();
  // While no node is there requests fail at once.
  BOOST_TEST(eventually([&] { return client.perform(find_user()).ok(); }));
  BOOST_TEST(client.perform(delete_request{"cn=a"}).ok());
  BOOST_TEST(node.directory.count(operation::remove) == 1U);
  node.stop();
}

BOOST_AUTO_TEST_CASE(a_served_node_that_is_stopped_under_load_gives_every_request_one_outcome) {
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

BOOST_AUTO_TEST_CASE(listeners_are_added_changed_and_removed_and_nobody_is_cut_off) {
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
  // Other certificates count for who comes: this one shows one of another authority, which is not trusted any more.
  node.reload(node_section() +
              listener_at(first.number(), "permission = \"write\"\nca_cert_path = " +
                                              quoted(node_certificates().other_ca.certificate()) + '\n'));
  test_node other;
  BOOST_TEST(!test_caller(other, {first.number()}).unreachable().empty());
  BOOST_TEST(test_caller(other, {first.number()}, caller_certificates(node_certificates().of_other_ca)).linked());
  // The second one is gone; who is in stays.
  BOOST_TEST(!raw_client{second.number()}.connected());
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

BOOST_AUTO_TEST_CASE(strangers_at_its_port_leave_a_served_node_serving) {
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
