// Provisions and starts Samba: see samba.hpp.
#include "authenticator/samba.hpp"

#include "support/eventually.hpp"
#include "support/installed_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <stdexcept>

namespace understudy::test {
namespace {

constexpr std::uint16_t ports[] = {389, 636, 3268, 3269};

/// Each test program has its own.
std::string own_loopback_address() {
  const auto pid = static_cast<unsigned>(::getpid());
  return "127.77." + std::to_string(pid / 250 % 250 + 1) + "." + std::to_string(pid % 250 + 1);
}

bool listens(const std::string& address, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool there = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  ::close(fd);
  return there;
}

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const auto begin = text.rfind('\n', end);
  return text.substr(begin + 1, end - begin);
}

}  // namespace

std::unique_ptr<samba> samba::started() {
  if (!is_installed("root, samba, samba-ad-provision, samba-dsdb-modules, samba-vfs-modules",
                    {"sh", "-c",
                     "test $(id -u) = 0 -a -x /usr/sbin/samba -a -x /usr/bin/samba-tool -a -d "
                     "/usr/share/samba/setup/ad-schema && ls /usr/lib/*/samba/ldb/samba_dsdb.so"},
                    false))
    return nullptr;
  std::unique_ptr<samba> made{new samba};
  if (!made->provision()) return nullptr;
  const bool up = made->start();
  BOOST_TEST_REQUIRE(up, made->process_->error_output());
  return made;
}

samba::samba() : address_(own_loopback_address()) {}

bool samba::provision() {
  std::filesystem::create_directory(domain_);
  const auto run = (folder_ / "run").string();
  std::filesystem::create_directory(run);
  certificate_options names;
  names.dns = {"dc1.ad.example.com"};
  names.ips = {address_};
  const auto own = authority_.issue("controller", names);
  // It takes no key that others may read.
  std::filesystem::permissions(own.key, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto made = run_program({.command = {"samba-tool",
                                             "domain",
                                             "provision",
                                             "--server-role=dc",
                                             "--dns-backend=NONE",
                                             "--realm=AD.EXAMPLE.COM",
                                             "--domain=EXAMPLE",
                                             "--adminpass=" + std::string{password},
                                             "--targetdir=" + domain_.string(),
                                             "--host-name=dc1",
                                             "--host-ip=" + address_,
                                             "--option=interfaces=" + address_ + "/8",
                                             "--option=bind interfaces only=yes",
                                             "--option=server services=ldap",
                                             "--option=log file=" + (folder_ / "log").string(),
                                             "--option=pid directory=" + run,
                                             "--option=ncalrpc dir=" + run + "/ncalrpc",
                                             "--option=tls certfile=" + own.certificate.string(),
                                             "--option=tls keyfile=" + own.key.string(),
                                             "--option=tls cafile=" + authority_.certificate().string(),
                                             "--option=tls dh params file="}},
                                std::chrono::seconds{300});
  if (made.status == 0) return true;
  std::fprintf(stderr, "NOT INSTALLED: a place where Samba can set up a domain (samba-tool domain provision: %s)\n",
               last_line(made.error_output).c_str());
  return false;
}

bool samba::start() {
  process_ = std::make_unique<child_process>(
      std::vector<std::string>{"samba", "-i", "-M", "single", "--configfile=" + (domain_ / "etc/smb.conf").string()});
  return eventually(
             [&] {
               for (const auto port : ports)
                 if (!listens(address_, port)) return !process_->running();
               return true;
             },
             3 * patience) &&
         process_->running();
}

void samba::age_password(const std::string& user_dn) const {
  const auto database = domain_ / "private/sam.ldb.d/DC=AD,DC=EXAMPLE,DC=COM.ldb";
  const auto done = run_program({.command = {debian_python, "-c",
                                             "import ldb, sys\n"
                                             "database = ldb.Ldb(sys.argv[1])\n"
                                             "change = ldb.Message(ldb.Dn(database, sys.argv[2]))\n"
                                             "change['x'] = ldb.MessageElement('130000000000000000', "  // 2012
                                             "ldb.FLAG_MOD_REPLACE, 'pwdLastSet')\n"
                                             "database.modify(change)\n",
                                             database.string(), user_dn}});
  if (done.status != 0) throw std::runtime_error("pwdLastSet cannot be changed: " + last_line(done.error_output));
}

}  // namespace understudy::test
