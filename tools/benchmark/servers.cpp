// Starting null responders and slapd.
#include "servers.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <chrono>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace understudy::benchmark {

using namespace internal;
namespace {

constexpr std::uint16_t first_port = 20389;
constexpr int small_backlog = 64;

}  // namespace

servers::responder servers::start_responder(std::vector<std::string> more) {
  std::vector<std::string> command{programs_ / "null_responder", "run"};
  command.insert(command.end(), more.begin(), more.end());
  responder made{child{command}, {}, {}};
  std::istringstream ports(made.process.read_line());
  ports >> made.port >> made.tls_port;
  return made;
}

servers::responder& servers::keep(const std::string& name, std::vector<std::string> more) {
  const auto known = running_.find(name);
  if (known != running_.end()) return known->second;
  return running_.emplace(name, start_responder(std::move(more))).first->second;
}

servers::responder& servers::keep_node(const std::string& name, std::vector<std::string> words) {
  const auto known = running_.find(name);
  if (known != running_.end()) return known->second;
  words.insert(words.begin(), programs_ / "node_server");
  responder made{child{words}, {}, {}};
  made.port = made.process.read_line();
  return running_.emplace(name, std::move(made)).first->second;
}

servers::responder& servers::keep_back_ldap(const std::string& name, const std::string& ports) {
  const auto known = running_.find(name);
  if (known != running_.end()) return known->second;
  const auto folder = folder_.path() / ("back-ldap " + std::to_string(running_.size()));
  std::filesystem::create_directory(folder);
  std::string uris;
  std::istringstream each(ports);
  for (std::string port; std::getline(each, port, ',');)
    uris += (uris.empty() ? "" : " ") + ("ldap://127.0.0.1:" + port);
  std::string config = "modulepath /usr/lib/ldap\nmoduleload back_ldap\n";
  for (const auto* schema : {"core", "cosine", "inetorgperson"})
    config += std::string{"include /etc/ldap/schema/"} + schema + ".schema\n";
  config += "loglevel 0\nthreads 4\nsizelimit unlimited\nconn_max_pending_auth 100000\ndatabase ldap\nsuffix \"" +
            cli::demo_tree{}.suffix + "\"\nuri \"" + uris + "\"\n";
  cli::write_file(folder / "slapd.conf", config);
  const cli::loopback_port port{first_port};
  const auto number = std::to_string(port.number());
  responder made{child{{"/usr/sbin/slapd", "-d", "0", "-f", folder / "slapd.conf", "-h", "ldap://127.0.0.1:" + number}},
                 number,
                 {}};
  for (int i = 0; !cli::accepts_connections(port.number()); ++i) {
    if (i == 1000) throw std::runtime_error("slapd with back-ldap does not start");
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return running_.emplace(name, std::move(made)).first->second;
}

/// `name`: of both, for what is kept.
std::vector<std::string> servers::behind(const std::string& name, const std::string& directory,
                                         const std::string& between) {
  if (between == "other") return other_;
  const auto ports = arguments_for(directory).front().substr(5);
  auto& running =
      between == "door"
          ? keep_node(name, {"door", "port=" + ports, "connections=8", "bind_connections=64", "max_in_flight=32"})
          : keep_back_ldap(name, ports);
  return {"port=" + running.port, "watch=" + std::to_string(running.process.pid())};
}

void servers::make_certificate() {
  if (std::filesystem::exists(folder_.path() / "cert.pem")) return;
  child made({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch",
              "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-out",
              folder_.path() / "cert.pem", "-keyout", folder_.path() / "key.pem"});
  made.wait();
}

std::string servers::slapd_port() {
  if (!slapd_) {
    cli::demo_tree tree;
    tree.admin_password = "secret";
    tree.users = users_;
    tree.passwords = true;
    slapd_ = std::make_unique<cli::demo_directory>(folder_.path() / "slapd", cli::loopback_port{first_port}, tree);
    slapd_->start();
  }
  return std::to_string(slapd_->port());
}

std::vector<std::string> servers::arguments_for(const std::string& name) {
  if (const auto at = name.find(" behind "); at != std::string::npos)
    return behind(name, name.substr(0, at), name.substr(at + 8));
  if (name == "slapd") return {"port=" + slapd_port()};
  if (name == "null large") return {"port=" + keep(name, {"entries=" + std::to_string(users_)}).port};
  if (name == "null million") return {"port=" + keep(name, {"entries=1000000"}).port};
  if (name == "null many") return {"port=" + keep(name, {"entries=200000"}).port};
  if (name == "null pair") return {"port=" + keep("leader", {}).port + "," + keep("understudy", {}).port};
  if (name == "null three") {
    std::string ports = "port=";
    for (int i = 0; i < 3; ++i)
      ports +=
          (i == 0 ? "" : ",") + keep("three " + std::to_string(i), {"backlog=" + std::to_string(small_backlog)}).port;
    return {ports};
  }
  if (name == "echo") return {"echo=" + keep_node(name, {"echo"}).port};
  make_certificate();
  const std::string cert = folder_.path() / "cert.pem", key = folder_.path() / "key.pem";
  const auto& first = keep("null", {"cert=" + cert, "key=" + key});
  if (name == "node plain") return {"node=" + keep_node(name, {"node", "port=" + first.port}).port};
  if (name == "node")
    return {"node=" + keep_node(name, {"node", "port=" + first.port, "cert=" + cert, "key=" + key}).port,
            "cert=" + cert, "key=" + key};
  if (name == "null tls") return {"port=" + first.tls_port, "tls=1", "ca=" + cert};
  std::string ports = "port=" + first.port;
  // "null N"
  const int count = name.size() > 5 ? std::stoi(name.substr(5)) : 1;
  for (int i = 1; i < count; ++i) ports += "," + keep("null " + std::to_string(i), {}).port;
  return {ports};
}

void servers::harm(const std::string& fault) {
  if (fault == "hole and pause") {
    // As behind a cable that was pulled out: open connections are silent, new ones are not answered.
    auto& first = running_.at("three 0");
    first.process.signal(SIGSTOP);
    fill_backlog(first.port);
    running_.at("three 1").process.signal(SIGSTOP);
    return;
  }
  running_.at("leader").process.signal(fault == "kill" ? SIGKILL : SIGSTOP);
}

/// The kernel accepts for a process that is stopped, up to its backlog; then it drops what asks for a connection.
void servers::fill_backlog(const std::string& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  for (int i = 0; i < 20 * small_backlog; ++i) {
    auto& made = unaccepted_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    static_cast<void>(::connect(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
    pollfd ready{made.get(), POLLOUT, 0};
    if (::poll(&ready, 1, 100) == 0) return;
  }
  throw std::runtime_error("a server that is stopped goes on accepting connections");
}

void servers::forget_harmed() {
  for (const auto* name : {"leader", "understudy", "three 0", "three 1", "three 2"}) running_.erase(name);
  unaccepted_.clear();
}

}  // namespace understudy::benchmark
