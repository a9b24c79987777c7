// Its file, its process, its log: see served_node.hpp.
#include "served_node.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

#include <regex>

namespace understudy::test {

using namespace internal;

std::string quoted(const std::filesystem::path& path) { return '"' + path.string() + '"'; }

std::string node_section(const certificate_files& shown) {
  return "[node]\nname = \"served\"\ncert_path = " + quoted(shown.certificate) + "\nkey_path = " + quoted(shown.key) +
         "\nca_cert_path = " + quoted(node_certificates().ca.certificate()) + '\n';
}

std::string listener_at(std::uint16_t port, const std::string& more, const std::string& address) {
  return "[[node.listeners]]\naddress = \"" + address + ':' + std::to_string(port) + "\"\n" + more;
}

served_node::served_node(const std::string& sections, std::string pool) : pool_(std::move(pool)) {
  write(sections);
  start();
}

void served_node::write(const std::string& sections) {
  folder_.write("node.toml", "[ldap]\nuri = \"" + url_ + "\"\n[pool]\nmin_connections = 2\n" + pool_ +
                                 "[limits]\ndrain_timeout = \"5s\"\n" + sections);
}

void served_node::start() {
  process = std::make_unique<child_process>(
      child_process::options{{UNDERSTUDY_PROGRAM, "serve", "-c", (folder_.path() / "node.toml").string()},
                             {},
                             {"NOTIFY_SOCKET=" + manager.name()},
                             {}});
}

void served_node::await_ready() { BOOST_TEST_REQUIRE(manager.await("READY=1"), process->error_output()); }

bool served_node::says(const std::string& part, milliseconds limit) const {
  const bool said = eventually([&] { return process->error_output().find(part) != std::string::npos; }, limit);
  BOOST_TEST(said, "expected \"" << part << "\" in: " << process->error_output());
  return said;
}

void served_node::reload(const std::string& sections, const std::string& then) {
  const auto before = times(then);
  write(sections);
  process->send_signal(SIGHUP);
  BOOST_TEST(eventually([&] { return times(then) > before; }), process->error_output());
}

std::uint16_t served_node::port() const {
  std::smatch found;
  const std::regex line{"listens for nodes address=\"?[0-9.]+:([0-9]+)"};
  std::string text;
  BOOST_TEST_REQUIRE(eventually([&] {
                       text = process->error_output();
                       return std::regex_search(text, found, line);
                     }),
                     text);
  return static_cast<std::uint16_t>(std::stoi(found[1]));
}

void served_node::stop() {
  process->send_signal(SIGTERM);
  BOOST_TEST((process->wait() == 0), process->error_output());
}

std::size_t served_node::times(const std::string& part) const {
  const auto text = process->error_output();
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

search_request find_user() {
  search_request request;
  request.base = "dc=example,dc=com";
  request.filter = "(uid=user1)";
  return request;
}

void outcomes::note(const answer<result_ptr>& got) {
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

}  // namespace understudy::test
