// Starting null responders and slapd.
#include "servers.hpp"

#include <sstream>
#include <stdexcept>

namespace understudy::benchmark {

using namespace internal;
namespace {

constexpr std::uint16_t first_port = 20389;

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
  if (name == "slapd") return {"port=" + slapd_port()};
  if (name == "null large") return {"port=" + keep(name, {"entries=" + std::to_string(users_)}).port};
  if (name == "null pair") return {"port=" + keep("leader", {}).port + "," + keep("understudy", {}).port};
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

child& servers::leader() { return running_.at("leader").process; }

void servers::forget_pair() {
  running_.erase("leader");
  running_.erase("understudy");
}

}  // namespace understudy::benchmark
