// A fixed amount of work on the hot path, for tools/instructions to count instructions of: fixed_run
// pure|session|door|relay.
#include "fixed_door.hpp"

#include "understudy/actors/circuit_breaker/router.hpp"
#include "understudy/actors/connection/outcome_batch.hpp"
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/session.hpp"
#include "understudy/actors/pool/pool_state.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/actors/ports/random.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <variant>

namespace {

using namespace understudy;
using namespace understudy::internal;

constexpr int rounds = 10'000;
constexpr int window = 50;

void require(bool good, const char* problem) {
  if (!good) throw std::runtime_error(std::string{"fixed_run: "} + problem);
}

/// Router and pool as their actors use them, two servers of which one serves, eight connections.
class pure_path {
 public:
  pure_path() : pool_(policy(), world(), now_) {
    router_.update({facts(1, 1), facts(2, 2)}, now_);
    pool_.start(now_);
    while (pool_.has_actions())
      for (const auto& action : pool_.take_actions())
        if (const auto* opened = std::get_if<pool_action::open>(&action)) make_ready(opened->id);
    require(opened_.size() == 8, ("the pool opened " + std::to_string(opened_.size()) + " connections").c_str());
  }

  [[gnu::noinline]] void run() {
    const selection_query read;
    outcome_batch outcomes{1};
    for (int i = 0; i < rounds; ++i) {
      now_ += std::chrono::microseconds{10};
      const auto chosen = router_.choose(read, now_ + seconds{30}, now_);
      require(chosen && chosen->server == 1, "the router chose nothing");
      const auto id = pool_.try_dispatch(now_);
      require(id != 0, "the pool had no room");
      loads_[static_cast<std::size_t>(id - opened_.front())]->completed.fetch_add(1);
      if (auto earlier = outcomes.turn_to(chosen->generation)) router_.on_report(*earlier, {now_, {}});
      outcomes.success(std::chrono::microseconds{200}, now_);
      if (i % window == 0)
        if (auto report = outcomes.flush()) router_.on_report(*report, {now_, {}});
    }
  }

 private:
  void make_ready(connection_id id) {
    opened_.push_back(id);
    auto& load = loads_.emplace_back(std::make_shared<connection_load>());
    pool_.attach(id, load_reading{{load, &load->completed}, {load, &load->wanted}, {load, &load->silent}});
    pool_.on_ready(id, now_);
  }
  static pool_policy policy() {
    settings all;
    all.servers.resize(2);
    auto p = policy_of(all, all.servers.front(), 0, "ldap1:389");
    p.min = p.max_pooled = p.max_connecting = 8;
    p.max = 12;
    p.preload = true;
    return p;
  }
  pool_dependencies world() {
    return {make_random(1), [this] { return ++numbers_; }, [] { return wall_time{}; }};
  }
  static server_facts facts(server_id id, int priority) {
    server_facts f;
    f.id = id;
    f.name = "ldap" + std::to_string(id) + ":389";
    f.priority = priority;
    return f;
  }

  time_point now_ = time_point{} + std::chrono::hours{1};
  std::uint64_t numbers_ = 0;
  router router_{router_options{}, make_random(2)};
  pool_state pool_;
  std::vector<connection_id> opened_;
  std::vector<connection_load_ptr> loads_;
};

/// A session over one end of a socket pair; the other end is answered here.
class session_path {
 public:
  session_path() {
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_) == 0, "socketpair");
    bytes_.open(ends_[0]);
    require(bytes_.resume(transport::writable).connected, "the transport is not connected");
    require(!ldap_.open(), "libldap gave no handle");
    search_request what;
    what.base = "ou=people,dc=example,dc=com";
    what.filter = "(uid=user4711)";
    what.attributes = {"mail"};
    search_ = make_request(what);
  }
  ~session_path() {
    ldap_.close(false);
    bytes_.close();
    ::close(ends_[1]);
  }

  [[gnu::noinline]] void run() {
    for (int i = 0; i < rounds; i += window) {
      for (int k = 0; k < window; ++k) ids_[k] = ldap_.encode(*search_).id;
      bytes_.flush();
      answer_all();
      require(bytes_.resume(transport::readable).received, "no answer arrived");
      for (int k = 0; k < window; ++k) read_answer();
      bytes_.release_empty_buffers();
    }
  }

 private:
  void read_answer() {
    result found;
    memory_allowance room{std::size_t{1} << 20};
    while (true) {
      const auto frame = bytes_.peek();
      require(frame.state == pdu_frame::status::complete, "half an answer");
      if (ldap_.decode(frame, search_->op, found, room) == decoded_pdu::complete) break;
    }
    require(found.entries.size() == 1 && found.entries.front().first("mail") == "user1@example.com", "not the entry");
  }

  // An entry and a result for each, as a server sends them.
  void answer_all() {
    char sink[65536];
    while (::recv(ends_[1], sink, sizeof sink, 0) > 0) {
    }
    static constexpr char entry[] =
        "\x64\x46\x04\x25uid=user1,ou=people,dc=example,dc=com\x30\x1d\x30\x1b\x04\x04mail\x31\x13\x04\x11"
        "user1@example.com";
    static constexpr char done[] = "\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
    std::string out;
    for (const int id : ids_) {
      append(out, id, std::string_view{entry, sizeof entry - 1});
      append(out, id, std::string_view{done, sizeof done - 1});
    }
    require(::send(ends_[1], out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size()), "send");
  }
  static void append(std::string& out, int id, std::string_view body) {
    append_message_head(id, body.size(), out);
    out.append(body);
  }

  int ends_[2] = {-1, -1};
  transport bytes_{1024 * 1024};
  session ldap_{bytes_};
  request_ptr search_;
  int ids_[window] = {};
};

}  // namespace

// What is counted: this function with all it calls (callgrind's --toggle-collect).
extern "C" [[gnu::noinline]] void counted(pure_path* pure, session_path* session) {
  if (pure != nullptr) pure->run();
  if (session != nullptr) session->run();
}

// The same of the front door: what its thread does, without clients and directories.
extern "C" [[gnu::noinline]] void counted_turn(understudy::benchmark::fixed_door& door) { door.run(); }

int main(int argc, char** argv) try {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "pure") {
    pure_path path;
    counted(&path, nullptr);
  } else if (what == "session") {
    session_path path;
    counted(nullptr, &path);
  } else if (what == "door") {
    understudy::benchmark::fixed_door door{1};
    for (int i = 0; i < 100; ++i) door.ask(8, counted_turn);
  } else if (what == "relay") {
    understudy::benchmark::fixed_door door{1000};
    for (int i = 0; i < 5; ++i) door.ask(1, counted_turn);
  } else {
    throw std::invalid_argument("usage: fixed_run pure|session|door|relay");
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
