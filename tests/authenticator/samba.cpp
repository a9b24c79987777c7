// Provisions and starts Samba: see samba.hpp.
#include "authenticator/samba.hpp"

#include "support/eventually.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>

namespace understudy::test {
namespace {

constexpr std::uint16_t ldaps_port = 636, catalog_port = 3269;

/// Each test program has its own.
std::string loopback_address() {
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

}  // namespace

bool samba::installed() {
  std::string missing;
  if (::geteuid() != 0) missing = "root, which a domain controller's ports take";
  for (const auto* part : {"/usr/sbin/samba", "/usr/bin/samba-tool", "/usr/share/samba/setup/ad-schema"})
    if (!std::filesystem::exists(part)) missing = part;
  if (missing.empty()) return true;
  std::fprintf(
      stderr,
      "NOT INSTALLED: %s is missing; as root: apt-get install --no-install-recommends samba samba-ad-provision "
      "samba-dsdb-modules samba-vfs-modules\n",
      missing.c_str());
  return false;
}

samba::samba() : address_(loopback_address()) {
  const auto target = folder_ / "domain";
  std::filesystem::create_directory(target);
  const auto made =
      run_program({.command = {"samba-tool", "domain", "provision", "--server-role=dc", "--dns-backend=NONE",
                               "--realm=AD.EXAMPLE.COM", "--domain=EXAMPLE", "--adminpass=" + std::string{password},
                               "--targetdir=" + target.string(), "--host-name=dc1", "--host-ip=" + address_,
                               "--option=interfaces=" + address_ + "/8", "--option=bind interfaces only=yes",
                               "--option=server services=ldap", "--option=log file=" + (folder_ / "log").string()}},
                  std::chrono::seconds{240});
  BOOST_TEST_REQUIRE(made.status == 0, made.error_output);
  process_ = std::make_unique<child_process>(
      std::vector<std::string>{"samba", "-i", "-M", "single", "--configfile=" + (target / "etc/smb.conf").string()});
  BOOST_TEST_REQUIRE(eventually([&] { return listens(address_, ldaps_port) && listens(address_, catalog_port); }),
                     process_->error_output());
}

}  // namespace understudy::test
