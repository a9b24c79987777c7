// Sets up, starts and kills slapd.
#include "understudy/tools/demo_directory.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace understudy::cli {

using namespace internal;
namespace {

namespace fs = std::filesystem;

std::string first_that_exists(const std::vector<std::string>& paths, const std::string& name) {
  for (const auto& path : paths)
    if (fs::exists(path)) return path;
  throw std::runtime_error(name + " was not found; the demonstration needs OpenLDAP's server: apt-get install slapd");
}

std::string server_program(const std::string& name) {
  return first_that_exists({"/usr/sbin/" + name, "/usr/local/sbin/" + name, "/usr/libexec/" + name}, name);
}

std::string configuration(const fs::path& folder, const demo_tree& tree) {
  const auto schema = first_that_exists({"/etc/ldap/schema", "/etc/openldap/schema"}, "slapd's schema");
  std::string text;
  for (const auto* name : {"core", "cosine", "inetorgperson"}) text += "include " + schema + "/" + name + ".schema\n";
  if (fs::exists("/usr/lib/ldap")) text += "modulepath /usr/lib/ldap\nmoduleload back_mdb\n";
  const auto place = folder.string();
  return text + "pidfile " + place + "/pid\nloglevel 0\nthreads 4\nconn_max_pending 10000\n" +
         "conn_max_pending_auth 10000\nsizelimit unlimited\ndatabase mdb\nsuffix \"" + tree.suffix + "\"\nrootdn \"" +
         tree.admin_dn + "\"\nrootpw " + tree.admin_password + "\ndirectory " + place +
         "/data\nmaxsize 67108864\ndbnosync\nindex objectClass,uid eq\n";
}

std::string ldif_of(const demo_tree& tree) {
  std::string text = "dn: " + tree.suffix + "\nobjectClass: dcObject\nobjectClass: organization\ndc: example\n" +
                     "o: Example\n\ndn: ou=people," + tree.suffix + "\nobjectClass: organizationalUnit\nou: people\n\n";
  for (int i = 0; i < tree.users; ++i) {
    const auto user = "user" + std::to_string(i);
    const auto password = tree.passwords ? "userPassword: password" + std::to_string(i) + "\n" : std::string{};
    text += "dn: uid=" + user + ",ou=people," + tree.suffix + "\nobjectClass: inetOrgPerson\nuid: " + user +
            "\ncn: " + user + "\nsn: " + user + "\nmail: " + user + "@example.com\n" + password + "\n";
  }
  return text;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

descriptor tcp_socket() { return {::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"}; }

/// Bound without SO_REUSEADDR, a socket keeps everybody else from the port; with it from then on, a server that sets it
/// too may listen there.
bool hold(const descriptor& socket, std::uint16_t port) {
  const auto address = loopback(port);
  const int yes = 1;
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0;
}

std::uint16_t first_outgoing_port() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  unsigned first = 0;
  return range >> first && first <= 65535 ? static_cast<std::uint16_t>(first) : std::uint16_t{32768};
}

}  // namespace

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

bool accepts_connections(std::uint16_t port) {
  const auto attempt = tcp_socket();
  const auto address = loopback(port);
  return ::connect(attempt.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

demo_folder::demo_folder() {
  auto pattern = (fs::temp_directory_path() / "understudy-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw fs::filesystem_error("cannot make a folder", pattern, std::error_code(errno, std::generic_category()));
  path_ = pattern;
}

demo_folder::~demo_folder() { remove(); }

void demo_folder::remove() const noexcept {
  constexpr int most_files_that_appear_meanwhile = 10;
  std::error_code nobody_is_left_to_tell;
  for (int i = 0; i < most_files_that_appear_meanwhile && fs::exists(path_, nobody_is_left_to_tell); ++i)
    fs::remove_all(path_, nobody_is_left_to_tell);
}

loopback_port::loopback_port(std::uint16_t above) : held_(tcp_socket()) {
  const auto end = first_outgoing_port();
  for (unsigned port = above + 1u; port < end; ++port) {
    number_ = static_cast<std::uint16_t>(port);
    if (hold(held_, number_)) return;
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

demo_directory::demo_directory(fs::path folder, loopback_port port, const demo_tree& tree)
    : folder_(std::move(folder)), port_(std::move(port)) {
  const auto loader = server_program("slapadd");
  fs::create_directories(folder_ / "data");
  write_file(folder_ / "slapd.conf", configuration(folder_, tree));
  write_file(folder_ / "tree.ldif", ldif_of(tree));
  demo_process load({loader, "-q", "-f", folder_ / "slapd.conf", "-l", folder_ / "tree.ldif"}, folder_ / "log");
  if (!load.succeeded()) throw std::runtime_error("slapadd failed: " + load.end_of_log());
}

void demo_directory::start() {
  process_.emplace(std::vector<std::string>{server_program("slapd"), "-d", "0", "-f", folder_ / "slapd.conf", "-h",
                                            "ldap://" + name()},
                   folder_ / "log");
  process_->wait_until([&] { return accepts_connections(port()); });
}

void demo_directory::pause() {
  if (process_) process_->pause();
}

void demo_directory::kill() { process_.reset(); }

}  // namespace understudy::cli
