// Sets up, starts and kills slapd.
#include "understudy/tools/demo_directory.hpp"

#include "understudy/config/files.hpp"
#include "understudy/tools/interrupt.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
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

// Starts a program that dies with this process and is out of reach of the terminal's Ctrl-C, its output in `log`.
pid_t spawn(std::vector<std::string> command, const fs::path& log) {
  std::vector<char*> argv;
  for (auto& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto log_name = log.string();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot start a process: " + internal::config::errno_text(errno));
  if (pid > 0) return pid;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  restore_signals();
  const int out = ::open(log_name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0 || out < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) ::_exit(127);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

int wait_for(pid_t pid, int flags, int& status) {
  int got = 0;
  do got = ::waitpid(pid, &status, flags);
  while (got < 0 && errno == EINTR);
  return got;
}

std::string tail_of(const fs::path& log) {
  std::ifstream file(log);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.size() > 500 ? text.substr(text.size() - 500) : text;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

descriptor tcp_socket() { return {::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"}; }

bool accepts_connections(std::uint16_t port) {
  const auto attempt = tcp_socket();
  const auto address = loopback(port);
  return ::connect(attempt.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

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
  write(folder_ / "slapd.conf", configuration(folder_, tree));
  write(folder_ / "tree.ldif", ldif_of(tree));
  const auto log = folder_ / "log";
  int status = 0;
  const auto pid = spawn({loader, "-q", "-f", folder_ / "slapd.conf", "-l", folder_ / "tree.ldif"}, log);
  if (wait_for(pid, 0, status) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error("slapadd failed: " + tail_of(log));
}

demo_directory::~demo_directory() { kill(); }

void demo_directory::start() {
  const auto log = folder_ / "log";
  pid_ = spawn({server_program("slapd"), "-d", "0", "-f", folder_ / "slapd.conf", "-h", "ldap://" + name()}, log);
  constexpr std::chrono::seconds patience{5};
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!accepts_connections(port())) {
    int status = 0;
    const bool ended = wait_for(pid_, WNOHANG, status) == pid_;
    if (ended) pid_ = -1;
    if (ended || std::chrono::steady_clock::now() > end)
      throw std::runtime_error("slapd did not start: " + tail_of(log));
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

void demo_directory::pause() {
  if (pid_ >= 0) ::kill(pid_, SIGSTOP);
}

void demo_directory::kill() {
  if (pid_ < 0) return;
  int status = 0;
  ::kill(pid_, SIGKILL);
  wait_for(pid_, 0, status);
  pid_ = -1;
}

}  // namespace understudy::cli
