// Clients of every kind at a listener: who comes in, who does not, and what that costs the others.
#include "understudy/runtime/platform/listener.hpp"
#include "support/actor_config.hpp"
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/manual_ports.hpp"
#include "support/port_of.hpp"
#include "support/proxy_header.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/connection/tls_client.hpp"
#include "understudy/runtime/platform/addresses.hpp"
#include "understudy/runtime/platform/epoll_poller.hpp"
#include "understudy/runtime/platform/system_clock.hpp"
#include "understudy/runtime/platform/worker_threads.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>

#include <fstream>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const certificate_set& certificates() {
  static const certificate_set made;
  return made;
}

/// The real time, and so much later.
struct later_clock final : clock_port {
  time_point now() const override { return real.now() + ahead.load(); }
  wall_time wall_now() const override { return real.wall_now(); }
  internal::system_clock real;
  std::atomic<duration> ahead{duration{}};
};

/// What a listener stands on, and who came in.
struct world {
  test::actor_config cfg;
  caf::actor_system system{cfg};
  std::shared_ptr<epoll_poller> poller = std::make_shared<epoll_poller>();
  std::shared_ptr<worker_threads> workers = std::make_shared<worker_threads>();
  std::shared_ptr<recording_log> log = std::make_shared<recording_log>();
  std::shared_ptr<later_clock> clock = std::make_shared<later_clock>();
  std::mutex mutex;
  std::vector<accepted_client> in;
  std::unique_ptr<listener> open;

  ~world() {
    open.reset();
    in.clear();
    poller->stop();
    workers->stop(2s);
  }
  void listen(listener_options options) {
    auto env = std::make_shared<environment>();
    env->clock = clock;
    env->poller = poller;
    env->workers = workers;
    env->log = log;
    open = std::make_unique<listener>(system, env, std::move(options), [this](accepted_client client) {
      std::lock_guard guard{mutex};
      in.push_back(std::move(client));
    });
  }
  std::size_t count() {
    std::lock_guard guard{mutex};
    return in.size();
  }
  std::uint16_t port() const {
    const auto& text = open->address();
    return port_of(text);
  }
};

listener_options plain(std::string address = "127.0.0.1:0") {
  listener_options options;
  options.address = std::move(address);
  return options;
}

listener_options secured() {
  auto options = plain();
  options.tls = server_certificates{{certificates().server.certificate, certificates().server.key, {}, {}}};
  return options;
}

/// Of clients that need a certificate of our authority.
listener_options mutual() {
  auto options = secured();
  options.tls->ca_path = certificates().ca.certificate();
  return options;
}

/// A client of ours; blocking, with a deadline on everything.
struct client {
  explicit client(const world& at) : client(*literal_address("127.0.0.1", at.port())) {}
  explicit client(const socket_address& to) : fd(open_socket(to).fd) {
    BOOST_REQUIRE(fd >= 0);
    wait_for(POLLOUT);
  }
  ~client() { ::close(fd); }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  bool wait_for(short events, milliseconds limit = 5s) const {
    pollfd one{fd, events, 0};
    return ::poll(&one, 1, static_cast<int>(limit.count())) == 1;
  }
  /// Null when the handshake succeeded and the server did not object to it right after.
  failure_ptr secure(const connection_info& how) {
    const auto context = make_tls_client_context(how);
    BOOST_REQUIRE(!context.error);
    stream = make_tls_client_stream(context.context, fd, endpoint_of(how));
    for (;;) {
      const auto step = stream->handshake();
      if (step.what == byte_stream_result::kind::done) return nullptr;
      if (step.error) return step.error;
      if (step.what == byte_stream_result::kind::closed) return make_failure(errc::ssl_error, stage::secure, "closed");
      const bool reads = step.what == byte_stream_result::kind::want_read;
      if (!wait_for(reads ? POLLIN : POLLOUT)) return make_failure(errc::connection_timeout, stage::secure, "silence");
    }
  }
  /// The server ended it.
  bool ended(milliseconds limit = 5s) const {
    if (!wait_for(POLLIN, limit)) return false;
    char byte = 0;
    const auto n = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
  }
  int fd;
  std::unique_ptr<byte_stream> stream;
};

connection_info trusting(bool with_certificate = false) {
  connection_info how;
  how.host = "localhost";
  how.use_ssl = true;
  how.ca_cert_path = certificates().ca.certificate();
  if (with_certificate) {
    how.client_cert_path = certificates().client.certificate;
    how.client_key_path = certificates().client.key;
  }
  return how;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_plain_client_comes_in_and_is_named) {
  world w;
  w.listen(plain());
  const client one(w);
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].address.rfind("127.0.0.1:", 0) == 0u, w.in[0].address);
  BOOST_TEST(w.in[0].stream->encryption() == "none");
  BOOST_TEST(::send(one.fd, "x", 1, 0) == 1);
  char byte = 0;
  BOOST_TEST(eventually([&] { return w.in[0].stream->read(&byte, 1).bytes == 1; }));
  BOOST_TEST(byte == 'x');
}

BOOST_AUTO_TEST_CASE(a_listener_of_all_addresses_takes_both_families) {
  world w;
  w.listen(plain(":0"));
  const client four(w);
  const client six(*literal_address("::1", w.port()));
  BOOST_TEST(eventually([&] { return w.count() == 2; }));
}

BOOST_AUTO_TEST_CASE(a_local_client_is_known_by_its_user_and_the_socket_goes_with_the_listener) {
  temporary_folder folder;
  const auto path = (folder.path() / "door").string();
  {
    world w;
    w.listen(plain(path));
    const client one(local_address(path));
    BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
    BOOST_TEST(w.in[0].address == "local, uid " + std::to_string(::getuid()) + ", pid " + std::to_string(::getpid()));
  }
  BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(a_socket_that_a_dead_process_left_behind_is_replaced_and_a_living_one_is_not) {
  temporary_folder folder;
  const auto path = (folder.path() / "door").string();
  const auto at = local_address(path);
  const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  BOOST_REQUIRE(
      ::bind(left, reinterpret_cast<const sockaddr*>(at.bytes.data()), static_cast<socklen_t>(at.bytes.size())) == 0);
  ::close(left);
  world w;
  w.listen(plain(path));
  world other;
  BOOST_CHECK_EXCEPTION(other.listen(plain(path)), listener_error, [](const auto& e) {
    return std::string{e.what()}.find("another process listens there") != std::string::npos;
  });
  // Whoever wanted the place has knocked to find out.
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  const client one(at);
  BOOST_TEST(eventually([&] { return w.count() == 2; }));
}

BOOST_AUTO_TEST_CASE(a_listener_that_cannot_be_set_up_leaves_no_socket_behind) {
  temporary_folder folder;
  auto options = secured();
  options.address = (folder.path() / "door").string();
  options.tls->ca_path = folder.path() / "nothing";
  world w;
  BOOST_CHECK_THROW(w.listen(options), listener_error);
  BOOST_TEST(!std::filesystem::exists(options.address));
  // One that is there already stays: it is somebody else's.
  w.listen(plain(options.address));
  world other;
  BOOST_CHECK_THROW(other.listen(options), listener_error);
  BOOST_TEST(std::filesystem::exists(options.address));
}

BOOST_AUTO_TEST_CASE(limits_by_address_count_who_has_many_addresses_once_and_neighbours_apart) {
  const auto counted = [](std::string_view address) { return counted_as(parse_ip_address(address).value()); };
  BOOST_TEST(counted("192.0.2.1") == "192.0.2.1");
  BOOST_TEST(counted("::ffff:192.0.2.1") == "192.0.2.1");
  BOOST_TEST(counted("2001:db8:0:1::5") == "2001:db8:0:1::/64");
  BOOST_TEST(counted("2001:db8:0:1:2:3:4:5") == "2001:db8:0:1::/64");
  BOOST_TEST(counted("2001:db8:0:2::5") == "2001:db8:0:2::/64");
  BOOST_TEST(counted("::1") == "::1");
  // All machines of one link have this network.
  BOOST_TEST(counted("fe80::1") == "fe80::1");
  BOOST_TEST(counted("febf:1::2") == "febf:1::2");
  BOOST_TEST(counted("fec0::1") == "fec0::/64");
  // All of IPv4 behind a translator has this one. It cannot speak for this machine.
  BOOST_TEST(counted("64:ff9b::192.0.2.1") == "192.0.2.1");
  BOOST_TEST(counted("64:ff9b::127.0.0.1") == "64:ff9b::/64");
  BOOST_TEST(counted("64:ff9b:1::192.0.2.1") == "64:ff9b:1::/64");
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_said_to_be_none) {
  world w;
  for (const auto* wrong : {"", "here", "localhost:389", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "1.2.3.4:5x"})
    BOOST_CHECK_THROW(w.listen(plain(wrong)), listener_error);
  BOOST_CHECK_THROW(w.listen(plain('/' + std::string(200, 'x'))), listener_error);
  BOOST_CHECK_THROW(w.listen(plain("192.0.2.1:0")), listener_error);  // not of this machine
}

BOOST_AUTO_TEST_CASE(a_client_with_tls_comes_in_when_its_handshake_is_complete) {
  world w;
  w.listen(secured());
  client one(w);
  BOOST_TEST(!one.secure(trusting()));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].stream->encryption().rfind("TLSv1.3", 0) == 0u);
  BOOST_TEST(w.in[0].certificate.subject.empty());
}

BOOST_AUTO_TEST_CASE(a_client_is_known_by_its_certificate) {
  world w;
  w.listen(mutual());
  client one(w);
  BOOST_TEST(!one.secure(trusting(true)));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].certificate.subject == "CN=service");
}

BOOST_AUTO_TEST_CASE(clients_without_the_right_certificate_never_come_in) {
  world w;
  w.listen(mutual());
  const auto& all = certificates();
  for (const auto* files :
       {static_cast<const test::certificate_files*>(nullptr), &all.of_other_ca, &all.expired, &all.not_yet_valid}) {
    client one(w);
    auto how = trusting();
    if (files != nullptr) how.client_cert_path = files->certificate, how.client_key_path = files->key;
    (void)one.secure(how);
    BOOST_TEST(one.wait_for(POLLIN));  // the server's word, or its end
  }
  BOOST_TEST(eventually([&] { return w.open->connections() == 0; }));
  BOOST_TEST(w.count() == 0u);
  BOOST_TEST(w.log->contains("did not get in"));
}

BOOST_AUTO_TEST_CASE(a_revoked_certificate_is_refused) {
  world w;
  auto options = mutual();
  options.tls->crl_path = certificates().crl;
  w.listen(std::move(options));
  client one(w);
  auto how = trusting();
  how.client_cert_path = certificates().revoked.certificate;
  how.client_key_path = certificates().revoked.key;
  (void)one.secure(how);
  BOOST_TEST(eventually([&] { return w.open->connections() == 0; }));
  BOOST_TEST(w.log->contains("revoked"));
  client good(w);
  BOOST_TEST(!good.secure(trusting(true)));
  BOOST_TEST(eventually([&] { return w.count() == 1; }));
}

BOOST_AUTO_TEST_CASE(only_allowed_names_come_in) {
  world w;
  auto options = mutual();
  options.tls->allowed_client_names = {"localhost"};
  w.listen(std::move(options));
  auto how = trusting();
  how.client_cert_path = certificates().wrong_name.certificate;
  how.client_key_path = certificates().wrong_name.key;
  client foreign(w);
  (void)foreign.secure(how);
  BOOST_TEST(eventually([&] { return w.open->connections() == 0; }));
  how.client_cert_path = certificates().server.certificate;
  how.client_key_path = certificates().server.key;
  client good(w);
  BOOST_TEST(!good.secure(how));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  const std::vector<std::string> names{"localhost", "127.0.0.1"};
  BOOST_TEST(w.in[0].certificate.names == names, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_old_protocol_is_refused_when_the_listener_wants_a_newer_one) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> old{::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free};
  ::SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
  for (const auto oldest : {tls_version::v1_2, tls_version::v1_3}) {
    world w;
    auto options = secured();
    options.tls->oldest_protocol = oldest;
    w.listen(std::move(options));
    const client one(w);
    const std::unique_ptr<SSL, void (*)(SSL*)> session{::SSL_new(old.get()), ::SSL_free};
    ::SSL_set_fd(session.get(), one.fd);
    int code = ::SSL_connect(session.get());
    while (code != 1 && ::SSL_get_error(session.get(), code) == SSL_ERROR_WANT_READ && one.wait_for(POLLIN))
      code = ::SSL_connect(session.get());
    BOOST_TEST((code == 1) == (oldest == tls_version::v1_2));
    if (oldest == tls_version::v1_3) BOOST_TEST(eventually([&] { return w.open->connections() == 0; }));
  }
}

BOOST_AUTO_TEST_CASE(the_mute_are_ended_at_the_deadline_and_hold_up_nobody) {
  world w;
  auto options = secured();
  options.handshake_timeout = 2s;
  w.listen(std::move(options));
  std::vector<std::unique_ptr<client>> mute;
  for (int i = 0; i < 20; ++i) mute.push_back(std::make_unique<client>(w));
  client one(w);
  BOOST_TEST(!one.secure(trusting()));
  for (const auto& each : mute) BOOST_TEST(each->ended());
  BOOST_TEST(eventually([&] { return w.open->connections() == 1; }));
}

BOOST_AUTO_TEST_CASE(who_speaks_no_tls_is_ended_at_once) {
  world w;
  w.listen(secured());
  const client one(w);
  const std::string garbage(64, 'G');
  BOOST_TEST(::send(one.fd, garbage.data(), garbage.size(), 0) == 64);
  BOOST_TEST(eventually([&] { return w.open->connections() == 0; }));
  BOOST_TEST(w.count() == 0u);
}

BOOST_AUTO_TEST_CASE(handshakes_under_way_are_bounded_and_the_oldest_makes_room) {
  world w;
  auto options = secured();
  options.limits.handshakes = 4;
  w.listen(std::move(options));
  std::vector<std::unique_ptr<client>> mute;
  for (int i = 0; i < 4; ++i) {
    mute.push_back(std::make_unique<client>(w));
    BOOST_REQUIRE(eventually([&] { return w.open->connections() == mute.size(); }));
  }
  client one(w);
  BOOST_TEST(!one.secure(trusting()));
  BOOST_TEST(mute[0]->ended());
  BOOST_TEST(!mute[3]->ended(50ms));
}

BOOST_AUTO_TEST_CASE(who_has_not_shown_who_he_is_takes_the_place_of_nobody_who_comes) {
  for (const bool of_address : {false, true}) {
    world w;
    auto options = secured();
    (of_address ? options.limits.by_address : options.limits.connections) = 1;
    w.listen(std::move(options));
    const client mute(w);
    BOOST_REQUIRE(eventually([&] { return w.open->connections() == 1; }));
    client one(w);
    BOOST_TEST(!one.secure(trusting()));
    BOOST_TEST(mute.ended());
    BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
    // Who is in stays.
    const client other(w);
    BOOST_TEST(other.ended());
    BOOST_TEST(!one.ended(50ms));
  }
}

BOOST_AUTO_TEST_CASE(who_has_spoken_makes_room_after_the_mute_when_we_are_late) {
  world w;
  auto options = secured();
  options.limits.connections = 3;
  w.listen(std::move(options));
  const client spoken(w);
  BOOST_REQUIRE(eventually([&] { return w.open->connections() == 1; }));
  const client mute(w);
  BOOST_REQUIRE(eventually([&] { return w.open->connections() == 2; }));
  client in(w);
  std::optional<client> late;
  {
    // The listener waits when this one has come in, and finds the others after that in the order of what they do.
    const std::lock_guard busy{w.mutex};
    BOOST_TEST(!in.secure(trusting()));
    late.emplace(w);
    BOOST_TEST(::send(spoken.fd, "\x16", 1, 0) == 1);
  }
  BOOST_TEST(!late->secure(trusting()));
  BOOST_TEST(mute.ended());
  BOOST_TEST(!spoken.ended(50ms));
}

BOOST_AUTO_TEST_CASE(certificates_that_could_not_be_read_are_tried_again_although_nobody_writes_them) {
  temporary_folder folder;
  const auto certificate = folder.path() / "own.crt", key = folder.path() / "own.key";
  const auto copy = [](const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  };
  copy(certificates().server.certificate, certificate);
  copy(certificates().server.key, key);
  world w;
  auto options = plain();
  options.tls = server_certificates{{certificate, key, {}, {}}};
  w.listen(std::move(options));
  copy(certificates().of_other_ca.key, key);  // which belongs to another certificate
  const auto failures = [&] { return w.log->count("cannot be used, the earlier ones stay"); };
  const auto somebody_comes = [&] {
    client one(w);
    BOOST_TEST(!one.secure(trusting()));
  };
  w.clock->ahead = 2s;
  somebody_comes();
  BOOST_TEST(eventually([&] { return failures() == 1; }));
  w.clock->ahead = 30s;
  somebody_comes();
  w.clock->ahead = 80s;
  somebody_comes();
  BOOST_TEST(eventually([&] { return failures() == 2; }));
}

BOOST_AUTO_TEST_CASE(limits_hold_in_all_and_by_address_and_places_are_given_back) {
  world w;
  auto options = plain();
  options.limits.by_address = 2;
  w.listen(std::move(options));
  const client first(w), second(w);
  BOOST_REQUIRE(eventually([&] { return w.count() == 2; }));
  const client third(w);
  BOOST_TEST(third.ended());
  BOOST_TEST(w.log->contains("2 connections from that address"));
  {
    std::lock_guard guard{w.mutex};
    w.in.erase(w.in.begin());
  }
  const client fourth(w);
  BOOST_TEST(eventually([&] { return w.count() == 2; }));
}

BOOST_AUTO_TEST_CASE(changed_certificates_are_used_and_bad_ones_are_not) {
  temporary_folder folder;
  const auto certificate = folder.path() / "own.crt", key = folder.path() / "own.key";
  const auto put = [&](const test::certificate_files& files) {
    std::filesystem::copy_file(files.key, key, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(files.certificate, certificate, std::filesystem::copy_options::overwrite_existing);
  };
  put(certificates().server);
  world w;
  auto options = plain();
  options.tls = server_certificates{{certificate, key, {}, {}}};
  w.listen(std::move(options));
  const auto comes_in = [&] {
    client one(w);
    return !one.secure(trusting());
  };
  BOOST_TEST(comes_in());
  std::ofstream(certificate) << "no certificate";
  // Every look at the files is for a client that comes.
  BOOST_TEST(eventually([&] { return comes_in() && w.log->contains("cannot be used"); }));
  BOOST_TEST(comes_in());
  put(certificates().wrong_name);
  BOOST_TEST(eventually([&] { return !comes_in() && w.log->contains("are in use"); }));
  put(certificates().server);
  BOOST_TEST(eventually([&] { return comes_in(); }));
}

BOOST_AUTO_TEST_CASE(without_descriptors_nobody_is_lost_and_it_goes_on_when_there_are_some) {
  world w;
  w.listen(plain());
  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  client waiting(*literal_address("127.0.0.1", w.port()));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  // The next client has its own socket already when none is left.
  const int early = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(early) + 1;
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto to = *literal_address("127.0.0.1", w.port());
  (void)::connect(early, reinterpret_cast<const sockaddr*>(to.bytes.data()), static_cast<socklen_t>(to.bytes.size()));
  const bool told = eventually([&] { return w.log->contains("nobody can be accepted"); });
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  BOOST_TEST(told);
  BOOST_TEST(eventually([&] { return w.count() == 2; }));
  ::close(early);
}

BOOST_AUTO_TEST_CASE(a_listener_that_goes_ends_handshakes_and_leaves_those_who_are_in) {
  world w;
  w.listen(secured());
  client in(w);
  BOOST_TEST(!in.secure(trusting()));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  const client mute(w);
  BOOST_REQUIRE(eventually([&] { return w.open->connections() == 2; }));
  const auto port = w.port();
  w.open.reset();
  BOOST_TEST(mute.ended());
  BOOST_TEST(!in.ended(50ms));
  const auto late = open_socket(*literal_address("127.0.0.1", port));
  pollfd one{late.fd, POLLOUT, 0};
  (void)::poll(&one, 1, 5000);
  BOOST_TEST(pending_error(late.fd) == ECONNREFUSED);
  ::close(late.fd);
}

BOOST_AUTO_TEST_CASE(certificates_that_are_no_good_are_named_at_the_start) {
  world w;
  auto options = secured();
  options.tls->key_path = "/nowhere/key.pem";
  BOOST_CHECK_EXCEPTION(w.listen(options), listener_error, [](const auto& e) {
    const std::string text = e.what();
    return text.find("key_path") != std::string::npos && text.find("/nowhere/key.pem") != std::string::npos;
  });
  options.tls->key_path = certificates().client.key;
  BOOST_CHECK_EXCEPTION(w.listen(options), listener_error, [](const auto& e) {
    return std::string{e.what()}.find("does not belong") != std::string::npos;
  });
}

// ---- networks and proxies ----

namespace {

std::vector<ip_network> networks(const std::vector<std::string>& texts) {
  std::vector<ip_network> all;
  std::string problem;
  for (const auto& each : texts) all.push_back(ip_network::parse(each, problem).value());
  return all;
}

const std::string documentation_address{"\xc0\0\x02\x07", 4};  // 192.0.2.7

/// A listener behind a proxy, which is on this machine.
struct proxied_world : world {
  explicit proxied_world(listener_options options = plain(), const std::string& proxy = "127.0.0.1") {
    options.proxies = networks({proxy});
    listen(std::move(options));
  }
};

listener_options limited(std::size_t admission_limits::*limit, std::size_t most) {
  auto options = plain();
  options.limits.*limit = most;
  return options;
}

void say(const client& from, const std::string& bytes) {
  BOOST_REQUIRE(::send(from.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(who_comes_from_elsewhere_than_it_may_is_closed_at_once) {
  world w;
  auto options = plain(":0");
  options.allow_from = networks({"10.0.0.0/8", "::1"});
  std::atomic<int> refused{0};
  options.on_refused = [&] { ++refused; };
  w.listen(std::move(options));
  const client four(w);
  BOOST_TEST(four.ended());
  BOOST_TEST(eventually([&] { return refused == 1; }));
  BOOST_TEST(w.log->contains("nobody may come from there"));
  const client six(*literal_address("::1", w.port()));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  // It takes no place, and other networks count at once.
  BOOST_TEST(w.open->connections() == 1U);
  w.open->set_networks(networks({"127.0.0.0/8"}), {});
  const client again(w);
  BOOST_TEST(eventually([&] { return w.count() == 2; }));
}

BOOST_AUTO_TEST_CASE(a_proxys_client_is_known_by_the_address_that_the_proxy_names) {
  proxied_world w(limited(&admission_limits::by_address, 2));
  const client first(w);
  const auto header = proxy_header_of(documentation_address, 51312);
  say(first, header.substr(0, 20));
  BOOST_TEST(!first.ended(50ms));
  BOOST_TEST(w.count() == 0U);
  say(first, header.substr(20) + "x");
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].address == "192.0.2.7:51312");
  BOOST_TEST(w.in[0].host == "192.0.2.7");
  BOOST_TEST(!w.in[0].local);
  // What stands behind it is the client's.
  char byte = 0;
  BOOST_TEST(eventually([&] { return w.in[0].stream->read(&byte, 1).bytes == 1; }));
  BOOST_TEST(byte == 'x');
  // The limit by address is that of its clients, not of the proxy.
  const client second(w), third(w), other(w);
  say(second, header);
  BOOST_REQUIRE(eventually([&] { return w.count() == 2; }));
  say(third, header);
  BOOST_TEST(third.ended());
  say(other, proxy_header_of({"\xc0\0\x02\x08", 4}, 1));
  BOOST_TEST(eventually([&] { return w.count() == 3; }));
}

BOOST_AUTO_TEST_CASE(addresses_of_ipv6_are_counted_by_their_first_64_bits) {
  proxied_world w(limited(&admission_limits::by_address, 2));
  const auto of = [](const std::string& sixteen_bytes) {
    return proxy_header('\x21', '\x21', sixteen_bytes + std::string(16, '\1') + std::string{"\x01\x85\x01\x85", 4});
  };
  const std::string network{"\x20\x01\x0d\xb8\0\0\0\x01", 8}, next{"\x20\x01\x0d\xb8\0\0\0\x02", 8};
  const std::string four{"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02", 15};
  const client first(w), second(w), third(w), elsewhere(w);
  say(first, of(network + std::string(7, '\0') + '\1'));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].address == "[2001:db8:0:1::1]:389");
  BOOST_TEST(w.in[0].host == "2001:db8:0:1::/64");
  say(second, of(network + std::string(8, '\x77')));
  BOOST_REQUIRE(eventually([&] { return w.count() == 2; }));
  say(third, of(network + std::string(8, '\x42')));
  BOOST_TEST(third.ended());
  say(elsewhere, of(next + std::string(8, '\x42')));
  BOOST_REQUIRE(eventually([&] { return w.count() == 3; }));
  // Those of IPv4 are that, however they are written: each for itself.
  const client mapped(w), written(w), full(w), neighbour(w);
  say(mapped, of(four + '\x07'));
  BOOST_REQUIRE(eventually([&] { return w.count() == 4; }));
  BOOST_TEST(w.in[3].host == "192.0.2.7");
  say(written, proxy_header_of(documentation_address, 5));
  BOOST_REQUIRE(eventually([&] { return w.count() == 5; }));
  say(full, of(four + '\x07'));
  BOOST_TEST(full.ended());
  say(neighbour, of(four + '\x08'));
  BOOST_TEST(eventually([&] { return w.count() == 6; }));
}

BOOST_AUTO_TEST_CASE(a_mapped_address_of_a_listener_for_both_families_is_that_of_ipv4) {
  world w;
  w.listen(plain(":0"));
  const client four(w), six(*literal_address("::1", w.port()));
  BOOST_REQUIRE(eventually([&] { return w.count() == 2; }));
  std::set<std::string> hosts{w.in[0].host, w.in[1].host};
  BOOST_TEST((hosts == std::set<std::string>{"127.0.0.1", "::1"}));
  BOOST_TEST((w.in[0].local && w.in[1].local));
}

BOOST_AUTO_TEST_CASE(a_client_whose_host_has_vanished_is_noticed_by_the_kernel) {
  world w;
  w.listen(plain());
  const client one(w);
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  const auto option = [&](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    BOOST_REQUIRE(::getsockopt(w.in[0].socket.get(), level, name, &value, &size) == 0);
    return value;
  };
  BOOST_TEST(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  const int idle = option(IPPROTO_TCP, TCP_KEEPIDLE), probes = option(IPPROTO_TCP, TCP_KEEPCNT);
  BOOST_TEST(idle + probes * option(IPPROTO_TCP, TCP_KEEPINTVL) <= 120);
  // With answers that it does not acknowledge as well.
  BOOST_TEST(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 120'000);
}

namespace {

/// With another umask, the permissions of a Unix socket that a listener with `access` makes.
mode_t permissions_with(mode_t mask, std::optional<socket_access> access) {
  temporary_folder folder;
  const auto path = (folder.path() / "door").string();
  const auto before = ::umask(mask);
  world w;
  auto options = plain(path);
  if (access) options.access = *access;
  w.listen(std::move(options));
  ::umask(before);
  struct stat found {};
  BOOST_REQUIRE(::lstat(path.c_str(), &found) == 0);
  const client one(local_address(path));
  BOOST_TEST(eventually([&] { return w.count() == 1; }));
  return found.st_mode & 0777U;
}

}  // namespace

BOOST_AUTO_TEST_CASE(who_may_connect_to_a_unix_socket_does_not_depend_on_the_umask) {
  for (const mode_t mask : {0000U, 0022U, 0077U, 0777U}) {
    BOOST_TEST(permissions_with(mask, std::nullopt) == 0600U);
    BOOST_TEST(permissions_with(mask, socket_access::everybody) == 0666U);
  }
}

BOOST_AUTO_TEST_CASE(a_proxy_that_names_nobody_is_its_own_client_and_one_of_loopback_is_local) {
  auto options = plain();
  options.allow_from = networks({"127.0.0.1", "192.0.2.0/24"});
  proxied_world w(std::move(options), "127.0.0.0/8");
  const client own(w), local(w), stranger(w);
  say(own, proxy_header('\x20', '\0', ""));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].address.rfind("127.0.0.1:", 0) == 0U);
  BOOST_TEST(w.in[0].local);
  say(local, proxy_header_of({"\x7f\0\0\x01", 4}, 5));
  BOOST_REQUIRE(eventually([&] { return w.count() == 2; }));
  BOOST_TEST(w.in[1].address == "127.0.0.1:5");
  BOOST_TEST(w.in[1].local);
  // allow_from is about clients.
  say(stranger, proxy_header_of({"\x0a\0\0\x01", 4}, 5));
  BOOST_TEST(stranger.ended());
}

BOOST_AUTO_TEST_CASE(a_proxy_that_says_something_else_or_nothing_is_ended) {
  auto options = plain();
  options.handshake_timeout = 1s;
  proxied_world w(std::move(options));
  const client wrong(w);
  say(wrong, "0\x0c\x02\x01\x01");
  BOOST_TEST(wrong.ended());
  BOOST_TEST(w.log->contains("did not name its client"));
  {
    const client gone(w);
    say(gone, proxy_header_of(documentation_address, 1).substr(0, 5));
  }
  const client mute(w);
  BOOST_TEST(mute.ended());
  BOOST_TEST(w.log->contains("the header of the PROXY protocol took longer than 1s"));
  BOOST_TEST(w.count() == 0U);
  BOOST_TEST(w.open->connections() == 0U);
}

BOOST_AUTO_TEST_CASE(many_who_name_nobody_make_room_for_who_comes) {
  proxied_world w(limited(&admission_limits::handshakes, 2));
  const client first(w), second(w), third(w), fourth(w);
  BOOST_TEST(first.ended());
  BOOST_TEST(second.ended());
  say(fourth, proxy_header_of(documentation_address, 1));
  BOOST_TEST(eventually([&] { return w.count() == 1; }));
}

BOOST_AUTO_TEST_CASE(who_has_not_been_named_yet_takes_no_place_and_gives_none) {
  proxied_world w(limited(&admission_limits::connections, 1));
  const client unnamed(w), first(w), second(w);
  say(first, proxy_header_of(documentation_address, 1));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  say(second, proxy_header_of(documentation_address, 2));
  BOOST_TEST(second.ended());
  BOOST_TEST(!unnamed.ended(50ms));
}

BOOST_AUTO_TEST_CASE(behind_a_proxy_tls_begins_after_its_header) {
  proxied_world w(secured());
  client one(w);
  say(one, proxy_header_of(documentation_address, 51312));
  BOOST_TEST(!one.secure(trusting()));
  BOOST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in[0].address == "192.0.2.7:51312");
}

BOOST_AUTO_TEST_CASE(who_is_no_trusted_proxy_cannot_name_a_client) {
  proxied_world w(secured(), "192.0.2.10");
  const client one(w);
  say(one, proxy_header_of(documentation_address, 51312));
  BOOST_TEST(one.ended());
  BOOST_TEST(w.count() == 0U);
}

BOOST_AUTO_TEST_CASE(one_address_has_a_tenth_of_the_places_and_this_machine_all) {
  const auto places = std::make_shared<admission>(shared_places(2'000, 64));
  const auto fits = [&](const std::string& address) {
    std::vector<admission::place> taken;
    for (;;) {
      auto entry = places->enter(address);
      if (entry.verdict != admission_verdict::welcome) return taken.size();
      taken.push_back(std::move(entry.given));
    }
  };
  BOOST_TEST(fits("192.0.2.7") == 200U);
  BOOST_TEST(fits("[2001:db8::7]") == 200U);
  for (const auto* local : {"127.0.0.1", "[::1]", "local, uid 1000"}) BOOST_TEST(fits(local) == 2'000U, local);
  BOOST_TEST(shared_places(500, 64).by_address == 100U);
  BOOST_TEST(shared_places(50, 64).by_address == 50U);
}
