// What is left of a password in this process's memory once nobody needs it any more: nothing.
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/slapd.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/understudy.h"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace understudy;

namespace {

// AddressSanitizer keeps what is freed for a while, and maps more memory than can be read.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_ours = false;
#else
constexpr bool memory_is_ours = true;
#endif

/// The password, which stands nowhere in this program as such: the test must not find its own copy. The server knows
/// its digest.
constexpr unsigned char veiled[] = {0x19, 0x35, 0x28, 0x28, 0x3f, 0x39, 0x2e, 0x77, 0x12, 0x35, 0x28, 0x29, 0x3f,
                                    0x77, 0x18, 0x3b, 0x2e, 0x2e, 0x3f, 0x28, 0x23, 0x77, 0x09, 0x2e, 0x3b, 0x2a,
                                    0x36, 0x3f, 0x77, 0x6e, 0x6d, 0x6b, 0x6b, 0x77, 0x3b, 0x34, 0x3e, 0x77, 0x3b,
                                    0x77, 0x3d, 0x35, 0x35, 0x3e, 0x77, 0x3e, 0x3f, 0x3b, 0x36, 0x77, 0x36, 0x35,
                                    0x34, 0x3d, 0x3f, 0x28, 0x77, 0x2e, 0x32, 0x3b, 0x34, 0x77, 0x69, 0x68};
constexpr std::size_t length = sizeof veiled;
constexpr const char* digest = "{SHA}ahxd2UWt4heg3n+ECUVpXXTYfhA=";
volatile unsigned char veil = 0x5a;  // not known to the optimiser

secret password() {
  std::string text(length, '\0');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>(veiled[i] ^ veil);
  return secret{std::move(text)};
}

/// What of a block malloc uses for itself once that is freed: two pointers, in a large block four.
constexpr std::size_t lost_when_freed = 4 * sizeof(void*);

/// How the password is written: a byte a character, or two.
enum class password_form : std::size_t { bytes = 1, utf16 = 2 };

/// True when the password stands at `at`, or what is left of one that was freed as it was.
bool stands_at(const unsigned char* at, password_form written) {
  const unsigned char key = veil;
  const auto apart = static_cast<std::size_t>(written);
  for (std::size_t i = lost_when_freed; i < length; ++i)
    if ((at[i * apart] ^ key) != veiled[i]) return false;
  return true;
}

/// How often the password stands in the writable memory of this process.
int copies_in_memory(password_form written = password_form::bytes) {
  constexpr std::size_t chunk = 1 << 20;
  const std::size_t room = length * static_cast<std::size_t>(written);
  auto* own = static_cast<unsigned char*>(
      ::mmap(nullptr, chunk + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  BOOST_REQUIRE(own != MAP_FAILED);
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  BOOST_REQUIRE(memory >= 0);
  int found = 0;
  std::size_t looked_at = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::string rights;
    std::istringstream fields(line);
    fields >> std::hex >> begin >> dash >> end >> rights;
    if (rights.substr(0, 2) != "rw") continue;
    for (auto at = begin; at < end; at += chunk) {
      const auto size = std::min<std::size_t>(chunk + room - 1, end - at);
      const auto n = ::pread(memory, own, size, static_cast<off_t>(at));
      for (ssize_t i = 0; i + static_cast<ssize_t>(room) <= n; ++i) {
        const auto where = at + static_cast<std::size_t>(i);
        const auto ours = reinterpret_cast<std::uintptr_t>(own);
        if (where >= ours && where < ours + chunk + room) continue;
        if (stands_at(own + i, written)) ++found;
      }
      if (n > 0) looked_at += static_cast<std::size_t>(n);
      ::explicit_bzero(own, chunk + room);
    }
  }
  ::close(memory);
  ::munmap(own, chunk + room);
  BOOST_TEST(looked_at > 1'000'000u);
  return found;
}

const std::string user = std::string{"uid=secretive,"} + test::people_dn;

test::slapd_options directory_with_the_user() {
  test::slapd_options with;
  with.extra_ldif =
      "dn: " + user + "\nobjectClass: inetOrgPerson\nuid: secretive\ncn: x\nsn: x\nuserPassword: " + digest + "\n\n";
  return with;
}

connection_info anonymous(const std::string& uri) {
  connection_info server;
  server.uri = uri;
  return server;
}

/// Uses the manager, stops it, and counts.
void check_wiped(connection_info server) {
  BOOST_TEST_REQUIRE(copies_in_memory() == 0);
  {
    connection_manager manager(std::move(server));
    BOOST_REQUIRE(manager.connect().connected);
    {
      const auto kept = password();
      BOOST_TEST(copies_in_memory() >= 1, "what is in memory is found");
      manager.bind({user, kept});
    }
    // Whoever carried the request lets go of it just after its answer.
    BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after a user's bind");
    BOOST_TEST(static_cast<bool>(manager.try_whoami()));
  }
  BOOST_TEST(copies_in_memory() == 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_that_was_bound_with) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  check_wiped(anonymous(server.url()));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_that_went_through_tls) {
  if (!memory_is_ours) return;
  const test::certificate_set made;
  auto with = directory_with_the_user();
  with.certificate = made.server.certificate;
  with.key = made.server.key;
  with.ca = made.ca.certificate();
  const test::slapd server(with);
  auto info = anonymous(server.ldaps_url());
  info.ca_cert_path = made.ca.certificate().string();
  check_wiped(std::move(info));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_the_services_password_after_the_stop) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  const test::temporary_folder folder;
  const auto file = (folder / "password").string();
  {
    const auto text = password();
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    BOOST_REQUIRE(::write(fd, text.reveal().data(), length) == static_cast<ssize_t>(length));
    ::close(fd);
  }
  for (const bool from_file : {false, true}) {
    auto info = anonymous(server.url());
    info.bind_dn = user;
    if (from_file)
      info.password_file = file;
    else
      info.password = password();
    connection_manager manager(std::move(info));
    BOOST_REQUIRE(manager.connect().connected);
    BOOST_TEST(test::eventually([] { return copies_in_memory() == 1; }), "one buffer for all who need it");
    BOOST_TEST(manager.whoami() == "dn:" + user);
  }
  BOOST_TEST(copies_in_memory() == 0);
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_that_was_set) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  auto info = anonymous(server.url());
  info.bind_dn = test::admin_dn;
  info.password = test::admin_password;
  connection_manager manager(std::move(info));
  BOOST_REQUIRE(manager.connect().connected);
  manager.password_modify({user, {}, password()});
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after the new one was set");
  manager.password_modify({user, password(), "another"});
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after it was replaced");
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_that_was_set_as_an_attribute) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  auto info = anonymous(server.url());
  info.bind_dn = test::admin_dn;
  info.password = test::admin_password;
  connection_manager manager(std::move(info));
  BOOST_REQUIRE(manager.connect().connected);
  authenticator_settings how;
  how.base = test::people_dn;
  const authenticator users(manager, how);
  BOOST_TEST(static_cast<bool>(users.change_password("secretive", {}, password(), password_method::user_password)));
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after userPassword was replaced");
  // No directory of Active Directory's: refused, after it was sent.
  BOOST_TEST(!users.change_password("secretive", {}, password(), password_method::unicode_pwd));
  BOOST_TEST(!users.change_password("secretive", password(), password(), password_method::unicode_pwd));
  BOOST_TEST(test::eventually([] { return copies_in_memory(password_form::utf16) == 0; }), "after unicodePwd was sent");
  BOOST_TEST(copies_in_memory() == 0);
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_among_the_values_of_an_entry) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  auto info = anonymous(server.url());
  info.bind_dn = test::admin_dn;
  info.password = test::admin_password;
  connection_manager manager(std::move(info));
  BOOST_REQUIRE(manager.connect().connected);
  const auto password_values = [] {
    std::vector<std::string> values;
    values.emplace_back(password().reveal());
    return values;
  };
  const auto change = [&] {
    modify_request made{user, {}};
    made.changes.push_back({modification::kind::replace, {"userPassword", password_values()}});
    return made;
  };
  manager.modify(change());
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after a modify");
  BOOST_TEST(static_cast<bool>(manager.try_compare({user, "userPassword", std::string{password().reveal()}})));
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after a compare");
  add_request another{std::string{"uid=another,"} + test::people_dn, {}};
  for (const auto* each : {"cn", "sn", "uid"}) another.attributes.push_back({each, {"another"}});
  another.attributes.push_back({"objectClass", {"inetOrgPerson"}});
  another.attributes.push_back({"userPassword", password_values()});
  manager.add(std::move(another));
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after an add");
  auto relayed = internal::encode_operation(*make_request(change())).op;
  BOOST_TEST_REQUIRE(copies_in_memory() == 1);
  BOOST_TEST(static_cast<bool>(manager.perform(make_request(std::move(relayed)))));
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after somebody else's modify");
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_that_was_logged_in_with) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  connection_manager manager(anonymous(server.url()));
  BOOST_REQUIRE(manager.connect().connected);
  authenticator_settings how;
  how.base = test::people_dn;
  how.cache_ttl = seconds{3600};  // keeps a hash
  const authenticator users(manager, how);
  BOOST_TEST(!users.authenticate("secretive", password()).cached);
  BOOST_TEST(users.authenticate("secretive", password()).cached);
  BOOST_TEST(static_cast<bool>(users.async_authenticate("secretive", password()).get()));
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after logins");
}

BOOST_AUTO_TEST_CASE(nothing_is_left_in_memory_of_a_password_that_a_c_program_passed) {
  if (!memory_is_ours) return;
  const test::slapd server(directory_with_the_user());
  const auto toml = "[ldap]\nuri = \"" + server.url() + "\"\n[authenticator]\nbase = \"" + test::people_dn + "\"\n";
  understudy_client* client = nullptr;
  BOOST_TEST_REQUIRE(understudy_client_new(toml.c_str(), nullptr, &client, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_client_connect(client, 0, nullptr) == UNDERSTUDY_OK);
  const char name[] = "secretive";
  {
    const auto kept = password();
    BOOST_TEST(understudy_authenticate(client, name, sizeof name - 1, kept.reveal().data(), kept.size(), 0, nullptr) ==
               UNDERSTUDY_OK);
    BOOST_TEST(understudy_submit_authenticate(client, name, sizeof name - 1, kept.reveal().data(), kept.size(), 0,
                                              nullptr, nullptr, nullptr) == UNDERSTUDY_OK);
  }
  BOOST_TEST(
      test::eventually([&] { return understudy_completion_next(client, nullptr, nullptr, nullptr) == UNDERSTUDY_OK; }));
  BOOST_TEST(test::eventually([] { return copies_in_memory() == 0; }), "after both logins");
  understudy_client_free(client);
  BOOST_TEST(copies_in_memory() == 0);
}
