// Dials to listeners and to what is none: who is reached, who is refused, and when a dial ends.
#include "understudy/runtime/platform/dialler.hpp"
#include "support/actor_config.hpp"
#include "support/certificates.hpp"
#include "support/contains.hpp"
#include "support/eventually.hpp"
#include "support/port_of.hpp"
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/runtime/platform/addresses.hpp"
#include "understudy/runtime/platform/epoll_poller.hpp"
#include "understudy/runtime/platform/listener.hpp"
#include "understudy/runtime/platform/resolver.hpp"
#include "understudy/runtime/platform/system_clock.hpp"
#include "understudy/runtime/platform/worker_threads.hpp"

#include <sys/socket.h>
#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>

#include <condition_variable>
#include <filesystem>
#include <map>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const certificate_set& certificates() {
  static const certificate_set made;
  return made;
}

/// What came of one dial.
class told_result {
 public:
  void operator()(dial_result result) {
    const std::lock_guard guard{state_->mutex};
    ++state_->times;
    state_->result = std::move(result);
    state_->changed.notify_all();
  }
  bool wait(milliseconds limit = patience) const {
    std::unique_lock lock{state_->mutex};
    return state_->changed.wait_for(lock, limit, [&] { return state_->times > 0; });
  }
  int times() const {
    const std::lock_guard guard{state_->mutex};
    return state_->times;
  }
  dial_result& result() const { return state_->result; }
  /// Waits for a failure; its text.
  std::string failure() const {
    BOOST_TEST_REQUIRE(wait());
    BOOST_TEST_REQUIRE((state_->result.error != nullptr));
    return state_->result.error->message;
  }

 private:
  struct shared {
    std::mutex mutex;
    std::condition_variable changed;
    int times = 0;
    dial_result result;
  };
  std::shared_ptr<shared> state_ = std::make_shared<shared>();
};

/// What dialler and listener stand on.
struct world {
  actor_config cfg;
  caf::actor_system system{cfg};
  std::shared_ptr<epoll_poller> poller = std::make_shared<epoll_poller>(system);
  std::shared_ptr<worker_threads> workers = std::make_shared<worker_threads>();
  std::map<std::string, std::vector<std::string>> names;
  environment_ptr env = make_environment();
  std::mutex mutex;
  std::vector<accepted_client> in;
  std::unique_ptr<listener> open;
  std::unique_ptr<dialler> out = std::make_unique<dialler>(system, env);

  ~world() {
    out.reset();
    open.reset();
    in.clear();
    poller->stop();
    workers->stop(2s);
  }
  environment_ptr make_environment() {
    auto made = std::make_shared<environment>();
    made->clock = std::make_shared<internal::system_clock>();
    made->poller = poller;
    made->workers = workers;
    made->resolver =
        std::make_shared<name_resolver>(system, made->clock, poller, workers, [this](const std::string& name) {
          resolution found;
          for (const auto& text : names[name]) found.addresses.push_back(*literal_address(text, 0));
          if (names[name].empty()) found.error = make_failure(errc::connection_failed, stage::resolve, "no such name");
          return found;
        });
    return made;
  }
  void listen(listener_options options) {
    open = std::make_unique<listener>(system, env, std::move(options), [this](accepted_client client) {
      const std::lock_guard guard{mutex};
      in.push_back(std::move(client));
    });
  }
  std::size_t count() {
    const std::lock_guard guard{mutex};
    return in.size();
  }
  std::uint16_t port() const {
    const auto& text = open->address();
    return port_of(text);
  }
  told_result dial(dial_options to) const {
    told_result told;
    out->dial(std::move(to), told);
    return told;
  }
};

/// Of peers that show each other certificates, as nodes do.
listener_options mutual(const certificate_files& shown = certificates().server) {
  listener_options options;
  options.address = "127.0.0.1:0";
  options.tls = server_certificates{{shown.certificate, shown.key, certificates().ca.certificate(), {}}};
  return options;
}

dial_options plain(std::uint16_t port, std::string host = "127.0.0.1") {
  dial_options to;
  to.host = std::move(host);
  to.port = port;
  return to;
}

dial_options secured(std::uint16_t port, std::string host = "127.0.0.1") {
  auto to = plain(port, std::move(host));
  const auto& own = certificates().client;
  to.tls = dialling_certificates{{own.certificate, own.key, certificates().ca.certificate(), {}}};
  return to;
}

/// Takes connections into its backlog and says nothing.
struct mute_server {
  mute_server() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto at = *literal_address("127.0.0.1", 0);
    BOOST_REQUIRE(
        ::bind(fd, reinterpret_cast<const sockaddr*>(at.bytes.data()), static_cast<socklen_t>(at.bytes.size())) == 0);
    BOOST_REQUIRE(::listen(fd, 16) == 0);
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
    const auto text = to_socket_address(reinterpret_cast<const sockaddr*>(&own), size).text;
    port = port_of(text);
  }
  ~mute_server() { ::close(fd); }
  mute_server(const mute_server&) = delete;
  mute_server& operator=(const mute_server&) = delete;
  int fd;
  std::uint16_t port = 0;
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_plain_dial_reaches_a_listener) {
  world w;
  listener_options options;
  options.address = "127.0.0.1:0";
  w.listen(options);
  const auto told = w.dial(plain(w.port()));
  BOOST_TEST_REQUIRE(told.wait());
  BOOST_TEST_REQUIRE(told.result().peer.has_value());
  BOOST_TEST(told.result().peer->address == "127.0.0.1:" + std::to_string(w.port()));
  BOOST_TEST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST((told.result().peer->stream->write("hello", 5).bytes == 5U));
  char bytes[8] = {};
  BOOST_TEST(eventually([&] { return w.in.front().stream->read(bytes, sizeof bytes).bytes == 5; }));
  BOOST_TEST(std::string(bytes) == "hello");
  BOOST_TEST(told.times() == 1);
  BOOST_TEST(w.out->dialling() == 0U);
}

BOOST_AUTO_TEST_CASE(peers_know_each_other_by_their_certificates) {
  world w;
  w.listen(mutual());
  const auto told = w.dial(secured(w.port()));
  BOOST_TEST_REQUIRE(told.wait());
  BOOST_TEST_REQUIRE(told.result().peer.has_value(), (told.result().error ? told.result().error->message : ""));
  BOOST_TEST(contains(told.result().peer->stream->encryption(), "TLSv1.3"));
  BOOST_TEST_REQUIRE(eventually([&] { return w.count() == 1; }));
  BOOST_TEST(w.in.front().certificate.subject == "CN=service");
}

BOOST_AUTO_TEST_CASE(a_peer_whose_certificate_is_wrong_is_not_connected_to) {
  world w;
  const auto refused_for = [&](const certificate_files& shown, dial_options to, const std::string& why) {
    w.listen(mutual(shown));
    to.port = w.port();
    const auto said = w.dial(std::move(to)).failure();
    BOOST_TEST(contains(said, why), said);
    BOOST_TEST(contains(said, "127.0.0.1:" + std::to_string(w.port())), said);
  };
  const auto& all = certificates();
  refused_for(all.of_other_ca, secured(0), "authority in ca_cert_path");
  refused_for(all.expired, secured(0), "expired");
  refused_for(all.not_yet_valid, secured(0), "not yet valid");
  refused_for(all.wrong_name, secured(0), "mismatch");
  auto with_list = secured(0);
  with_list.tls->crl_path = all.crl;
  refused_for(all.revoked, with_list, "revoked");
  // The list alone does no harm, and the name may be another than the host.
  w.listen(mutual(all.wrong_name));
  auto by_name = secured(w.port());
  by_name.tls->peer_name = "ldap.example.com";
  const auto told = w.dial(by_name);
  BOOST_TEST_REQUIRE(told.wait());
  BOOST_TEST(told.result().peer.has_value());
  w.listen(mutual());
  with_list.port = w.port();
  const auto listed = w.dial(with_list);
  BOOST_TEST_REQUIRE(listed.wait());
  BOOST_TEST(listed.result().peer.has_value());
}

BOOST_AUTO_TEST_CASE(a_peer_that_refuses_our_certificate_says_so_at_the_first_read) {
  world w;
  w.listen(mutual());
  auto to = secured(w.port());
  to.tls->certificate_path = certificates().of_other_ca.certificate;
  to.tls->key_path = certificates().of_other_ca.key;
  const auto told = w.dial(to);
  BOOST_TEST_REQUIRE(told.wait());
  BOOST_TEST_REQUIRE(told.result().peer.has_value());
  byte_stream_result last;
  char bytes[8];
  BOOST_TEST(eventually([&] {
    last = told.result().peer->stream->read(bytes, sizeof bytes);
    return last.what != byte_stream_result::kind::want_read;
  }));
  BOOST_TEST_REQUIRE((last.error != nullptr));
  BOOST_TEST(contains(last.error->message, "was shown the certificate in cert_path"), last.error->message);
  BOOST_TEST(w.count() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_no_peer_is_said_to_be_none) {
  world w;
  listener_options options;
  options.address = "127.0.0.1:0";
  w.listen(options);
  const auto port = w.port();
  w.open.reset();
  const auto refused = w.dial(plain(port)).failure();
  BOOST_TEST(contains(refused, "127.0.0.1:" + std::to_string(port)), refused);
  BOOST_TEST(contains(refused, "refused"), refused);
  const auto unknown = w.dial(plain(1, "nowhere.example.com")).failure();
  BOOST_TEST(contains(unknown, "no such name"), unknown);
  auto without_file = secured(port);
  without_file.tls->ca_path = "/does/not/exist";
  const auto unread = w.dial(without_file).failure();
  BOOST_TEST(contains(unread, "/does/not/exist"), unread);
}

BOOST_AUTO_TEST_CASE(a_mute_peer_costs_the_deadline_and_no_more) {
  world w;
  const mute_server mute;
  auto to = secured(mute.port);
  to.timeout = 300ms;
  const auto began = std::chrono::steady_clock::now();
  const auto told = w.dial(to);
  const auto said = told.failure();
  BOOST_TEST(contains(said, "no answer within 300ms"), said);
  BOOST_TEST((told.result().error->code == errc::connection_timeout));
  BOOST_TEST((std::chrono::steady_clock::now() - began >= 300ms));
  BOOST_TEST(w.out->dialling() == 0U);
}

BOOST_AUTO_TEST_CASE(every_address_of_a_name_is_tried) {
  world w;
  const mute_server mute;
  listener_options options = mutual();
  options.address = "127.0.0.2:" + std::to_string(mute.port);
  w.listen(options);
  // One that refuses, one that is mute, one that answers.
  w.names["node.example.com"] = {"127.0.0.3", "127.0.0.1", "127.0.0.2"};
  auto to = secured(mute.port, "node.example.com");
  to.tls->peer_name = "localhost";
  to.timeout = 30s;
  const auto told = w.dial(to);
  BOOST_TEST_REQUIRE(told.wait());
  BOOST_TEST_REQUIRE(told.result().peer.has_value(), (told.result().error ? told.result().error->message : ""));
  BOOST_TEST(told.result().peer->address == "127.0.0.2:" + std::to_string(mute.port));
}

BOOST_AUTO_TEST_CASE(a_cancelled_dial_is_not_told_and_leaves_nothing) {
  world w;
  const mute_server mute;
  w.dial(secured(mute.port));  // what is read once is read
  const auto before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    told_result told;
    const auto which = w.out->dial(secured(mute.port), told);
    if (i % 2 == 0) BOOST_TEST(eventually([&] { return open_descriptors() > before; }));
    w.out->cancel(which);
    w.out->cancel(which);
    BOOST_TEST(told.times() == 0);
  }
  BOOST_TEST(eventually([&] { return open_descriptors() <= before + 1; }));
  BOOST_TEST(w.out->dialling() == 1U);
}

BOOST_AUTO_TEST_CASE(a_handler_may_dial_again_or_end_the_dialler) {
  world w;
  listener_options options;
  options.address = "127.0.0.1:0";
  w.listen(options);
  told_result last;
  w.out->dial(plain(w.port()), [&, last](const dial_result&) mutable { w.out->dial(plain(w.port()), last); });
  BOOST_TEST(last.wait());
  told_result ended, never;
  const mute_server mute;
  w.out->dial(secured(mute.port), never);
  w.out->dial(plain(w.port()), [&, ended](dial_result result) mutable {
    w.out.reset();
    ended(std::move(result));
  });
  BOOST_TEST(ended.wait());
  BOOST_TEST(holds_for([&] { return never.times() == 0; }, 100ms));
}

BOOST_AUTO_TEST_CASE(replaced_certificates_are_used_by_the_next_dial) {
  const certificate_set own;
  world w;
  listener_options options = mutual();
  w.listen(options);
  auto to = secured(w.port());
  const auto ca = own.folder.write("trusted.pem", read_file(own.ca.certificate()));
  to.tls->ca_path = ca;
  const auto said = w.dial(to).failure();
  BOOST_TEST(contains(said, "ca_cert_path"), said);
  own.folder.write("trusted.pem", read_file(certificates().ca.certificate()));
  const auto told = w.dial(to);
  BOOST_TEST_REQUIRE(told.wait());
  BOOST_TEST(told.result().peer.has_value());
}
