// What a node makes of what others tell: probes at a bounded rate, refused secrets, loans; and that together they never
// open more sockets than the budget has, whatever is cut off, killed, paused or begun again.
#include "understudy/actors/node/peers_state.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <random>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

const std::string server = "ldap1:389";
const std::vector<std::string> names{"a", "b", "c"};
const time_point start = time_point{} + std::chrono::hours{1};

peers_options options_of(const std::string& self, std::uint32_t budget, std::uint64_t incarnation = 1) {
  peers_options o;
  o.self = self;
  for (const auto& name : names)
    if (name != self) o.peers.push_back(name);
  o.budget = budget;
  o.incarnation = incarnation;
  o.term = seconds{30};
  return o;
}

server_snapshot server_as(breaker_state breaker, server_id id = 3) {
  server_snapshot s;
  s.id = id;
  s.host = "ldap1";
  s.port = 389;
  s.breaker = breaker;
  return s;
}

/// One that says `breaker` of the server since `down_for`.
exchange word_of(breaker_state breaker, milliseconds down_for = 0ms, std::uint64_t incarnation = 1) {
  exchange e;
  e.incarnation = incarnation;
  e.budget = 10;
  e.nodes = names;
  e.servers = {{server, breaker, down_for, "refused"}};
  return e;
}

exchange refusing(const std::string& fingerprint, milliseconds ago, std::uint64_t incarnation = 1) {
  auto e = word_of(breaker_state::closed, 0ms, incarnation);
  e.refused = {{"cn=service", fingerprint, ago, "bind refused"}};
  return e;
}

/// Nodes, links between them, and what is on its way. Each pair's smaller name dials.
class cluster {
 public:
  struct node {
    std::unique_ptr<peers_state> state;
    std::shared_ptr<socket_permits> permits;
    std::uint64_t process = 0;
    std::uint32_t open = 0;
    bool paused = false;
    duration clock{};  // beside the others'
  };
  struct way {
    std::size_t dials = 0, answers = 0;
    std::uint64_t link = 0;                  // 0: none
    std::optional<std::string> forth, back;  // on their way
    bool cut = false;                        // cannot be linked
  };

  cluster(std::uint32_t total, std::uint64_t seed) : total_(total), random_(seed) {
    for (std::size_t i = 0; i < names.size(); ++i) begin(i);
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t k = i + 1; k < names.size(); ++k) ways_.push_back({i, k, 0, {}, {}, false});
  }

  std::uint32_t below(std::size_t n) { return static_cast<std::uint32_t>(random_() % n); }
  node& at(std::size_t i) { return nodes_.at(i); }
  way& way_at(std::size_t i) { return ways_.at(i); }
  std::size_t ways() const { return ways_.size(); }
  time_point now(std::size_t i) const { return now_ + nodes_.at(i).clock; }

  void begin(std::size_t i) {
    auto& n = nodes_.at(i);
    n.open = 0;  // the kernel closes what a process had
    n.paused = false;
    n.state = std::make_unique<peers_state>(options_of(names[i], total_, ++n.process), now(i));
    n.permits = n.state->permits(server, now(i));
  }
  /// Its links end; the others learn of it, or not, before there are new ones.
  void restart(std::size_t i) {
    for (auto& w : ways_)
      if (w.dials == i || w.answers == i) end(w, w.dials == i ? w.answers : w.dials);
    begin(i);
  }
  void end(way& w, std::optional<std::size_t> learns = {}) {
    if (w.link == 0) return;
    for (const auto& [one, other] : {std::pair{w.dials, w.answers}, {w.answers, w.dials}})
      if ((!learns || *learns == one) && !at(one).paused && (one == w.dials || below(2) == 0))
        at(one).state->lost(names[other], w.link, "cut", now(one), {});
    w.link = 0;
    w.forth = w.back = std::nullopt;
  }
  void step(way& w) {
    if (at(w.dials).paused || at(w.answers).paused) return;
    if (w.link == 0) {
      if (w.cut) return;
      w.link = ++links_;
      at(w.dials).state->linked(names[w.answers], w.link, now(w.dials), {});
      return;
    }
    if (w.back) {
      hear(w.dials, w.answers, *std::exchange(w.back, std::nullopt));
    } else if (w.forth) {
      at(w.answers).state->linked(names[w.dials], w.link, now(w.answers), {});
      hear(w.answers, w.dials, *std::exchange(w.forth, std::nullopt));
      w.back = encode(at(w.answers).state->tell(names[w.dials], now(w.answers)));
    } else {
      w.forth = encode(at(w.dials).state->tell(names[w.answers], now(w.dials)));
    }
  }
  void hear(std::size_t listener, std::size_t from, const std::string& bytes) {
    const auto read = decode_exchange(bytes);
    BOOST_TEST_REQUIRE(read.value.has_value());
    at(listener).state->hear(names[from], *read.value, now(listener));
  }
  void want(std::size_t i, std::uint32_t sockets) { at(i).permits->want(sockets); }
  /// As a pool: opens what it wants and may, closes what is too many.
  void play_pool(std::size_t i) {
    auto& n = at(i);
    if (n.paused) return;
    const auto close_one = [&] { --n.open, n.permits->close(); };
    while (n.open > 0 && (n.open > n.permits->allowed() || n.open > n.permits->wanted())) close_one();
    while (n.open < n.permits->wanted() && n.permits->open()) ++n.open;
    must_keep();
  }
  void pass(duration span) {
    now_ += span;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (!at(i).paused) at(i).state->tick(now(i), {});
  }
  /// Everybody hears everybody for so long, in steps of half a second.
  void run(duration span) {
    for (duration done{}; done < span; done += 500ms) {
      for (auto& w : ways_)
        for (int i = 0; i < 3; ++i) step(w);
      for (std::size_t i = 0; i < nodes_.size(); ++i) play_pool(i);
      pass(500ms);
    }
  }
  std::uint32_t open() const {
    std::uint32_t all = 0;
    for (const auto& n : nodes_) all += n.open;
    return all;
  }
  void must_keep() const { BOOST_TEST_REQUIRE(open() <= total_); }

 private:
  const std::uint32_t total_;
  std::mt19937_64 random_;
  std::array<node, 3> nodes_;
  std::vector<way> ways_;
  std::uint64_t links_ = 0;
  time_point now_ = start;
};

/// Anything may happen, one thing after the other.
void disturb(cluster& c) {
  const auto i = c.below(3);
  auto& w = c.way_at(c.below(c.ways()));
  switch (c.below(13)) {
    case 12:
      c.at(i).state->lost_all("it began again", c.now(i), {});
      for (std::size_t k = 0; k < c.ways(); ++k)
        if (c.way_at(k).dials == i || c.way_at(k).answers == i) c.end(c.way_at(k));
      break;
    case 0:
      c.end(w);
      break;
    case 1:
      w.cut = !w.cut;
      if (w.cut) c.end(w);
      break;
    case 2:
      if (c.below(4) == 0) c.restart(i);
      break;
    case 3:
      if (c.below(2) == 0) c.at(i).paused = !c.at(i).paused;
      break;
    case 4:
      c.want(i, c.below(14));
      break;
    case 5:
      if (c.below(4) == 0) c.at(i).clock += milliseconds{c.below(3000)};
      break;
    case 6:
      c.pass(milliseconds{c.below(c.below(6) == 0 ? 60'000 : 1'500)});
      break;
    default:
      c.step(w);
  }
  c.play_pool(c.below(3));
  c.must_keep();
}

void heal(cluster& c) {
  for (std::size_t i = 0; i < c.ways(); ++i) c.way_at(i).cut = false;
  for (std::size_t i = 0; i < names.size(); ++i) c.at(i).paused = false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_secret_is_tried_when_each_peer_has_decided_its_own_or_cannot_be_reached) {
  const auto told = [](secrets_standing standing, std::uint64_t incarnation = 1) {
    auto word = word_of(breaker_state::closed, 0ms, incarnation);
    word.standing = standing;
    return word;
  };
  {
    peers_state b{options_of("b", 0), start};
    BOOST_TEST(!b.may_try(start));
    b.hear("a", told(secrets_standing::decided), start);
    BOOST_TEST(!b.may_try(start));
    b.unreachable("c", "refused", {});
    BOOST_TEST(b.may_try(start));
    BOOST_TEST((b.tell("a", start).standing == secrets_standing::waiting));
    // Once; the others know from then on.
    BOOST_TEST(b.take_release(start).has_value());
    BOOST_TEST(!b.take_release(start + 1s).has_value());
    BOOST_TEST((b.tell("a", start).standing == secrets_standing::trying));
    BOOST_TEST(!b.take_news());
    b.set_standing(secrets_standing::decided);
    BOOST_TEST(b.take_news());
    BOOST_TEST((b.tell("a", start).standing == secrets_standing::decided));
  }
  {
    // Of two who wait the smaller name goes; for who tries both wait.
    peers_state b{options_of("b", 0), start};
    b.hear("c", told(secrets_standing::waiting), start);
    b.hear("a", told(secrets_standing::decided), start);
    BOOST_TEST(b.may_try(start));
    b.hear("a", told(secrets_standing::waiting), start);
    BOOST_TEST(!b.may_try(start + 3s));
    b.hear("a", told(secrets_standing::decided), start + 1s);
    b.hear("c", told(secrets_standing::trying), start + 1s);
    BOOST_TEST(!b.may_try(start + 4900ms));
    // It hangs.
    BOOST_TEST(b.may_try(start + 5s));
    // Another process of it begins from the beginning.
    b.hear("c", told(secrets_standing::trying, 2), start + 5s);
    BOOST_TEST(!b.may_try(start + 8900ms));
    BOOST_TEST(b.may_try(start + 9s));
  }
  {
    const peers_state b{options_of("b", 0), start};
    BOOST_TEST(!b.may_try(start + 2900ms));
    BOOST_TEST(b.may_try(start + 3s));
  }
  const peers_state alone{[] {
                            auto o = options_of("a", 0);
                            o.peers.clear();
                            return o;
                          }(),
                          start};
  BOOST_TEST(alone.may_try(start));
}

namespace {

/// Nodes that begin with the same wrong secret, a few seconds apart, and a directory that takes its time to refuse it.
class beginners {
 public:
  explicit beginners(std::uint64_t seed) : random_(seed) {
    for (auto& n : nodes_) n.begins = start + 50ms * below(120);
  }

  /// Until everybody knows; false when somebody never does.
  bool run() {
    for (; now_ < start + 30s; now_ += 50ms) {
      for (std::size_t i = 0; i < nodes_.size(); ++i) step(i);
      if (std::all_of(nodes_.begin(), nodes_.end(), [](const node& n) { return n.decided; })) return true;
    }
    return false;
  }
  int binds() const { return binds_; }

 private:
  struct node {
    time_point begins{};
    std::unique_ptr<peers_state> state;
    bool decided = false, knows = false;  // that it is refused, here or elsewhere
    time_point binds_at = time_point::max(), refused_at = time_point::max();
    std::array<time_point, 3> asks_at{};             // each that it dials
    std::array<std::optional<exchange>, 3> answers;  // on their way
    std::array<time_point, 3> answered_at{};
    std::uint64_t links = 0;
  };

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  void step(std::size_t i) {
    auto& n = nodes_[i];
    if (now_ < n.begins) return;
    if (!n.state) n.state = std::make_unique<peers_state>(options_of(names[i], 0), now_);
    for (std::size_t k = i + 1; k < nodes_.size(); ++k) speak(i, k);
    if (const auto listed = n.state->take_release(now_)) {
      n.knows = n.knows || !listed->empty();
      n.binds_at = now_ + 50ms * below(6);
    }
    if (now_ >= n.binds_at) {
      n.binds_at = time_point::max();
      if (!n.knows) {
        n.state->set_standing(secrets_standing::trying);
        ++binds_;
        n.refused_at = now_ + 50ms * below(30);
      }
    }
    if (now_ >= n.refused_at) {
      n.refused_at = time_point::max();
      n.knows = true;
      n.state->set_refused({{"cn=service", "print", now_, "bind refused", {}}});
    }
    if (n.knows && !n.decided) {
      n.decided = true;
      n.state->set_standing(secrets_standing::decided);
    }
    if (n.state->take_news()) n.asks_at.fill(now_);
  }

  /// The smaller name dials, asks each second, and is answered a moment later.
  void speak(std::size_t i, std::size_t k) {
    auto &n = nodes_[i], &other = nodes_[k];
    if (n.answers[k] && now_ >= n.answered_at[k]) hear(i, k, *std::exchange(n.answers[k], std::nullopt));
    if (now_ < n.asks_at[k] || n.answers[k]) return;
    n.asks_at[k] = now_ + (below(4) == 0 ? 300ms : 1s);
    if (!other.state) return n.state->unreachable(names[k], "refused", {});
    n.state->linked(names[k], i + 1, now_, {});
    other.state->linked(names[i], k + 1, now_, {});
    hear(k, i, n.state->tell(names[k], now_));
    n.answers[k] = other.state->tell(names[i], now_);
    n.answered_at[k] = now_ + 50ms * below(4);
  }

  void hear(std::size_t listener, std::size_t from, const exchange& told) {
    const auto made = nodes_[listener].state->hear(names[from], told, now_);
    if (made.refused_elsewhere && !made.refused_elsewhere->empty()) nodes_[listener].knows = true;
  }

  std::mt19937_64 random_;
  std::array<node, 3> nodes_;
  time_point now_ = start;
  int binds_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(of_nodes_that_begin_in_whatever_order_one_tries_a_wrong_secret) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    beginners all{seed};
    BOOST_TEST_REQUIRE(all.run(), "seed " << seed << ": somebody does not come to an end");
    BOOST_TEST_REQUIRE(all.binds() == 1, "seed " << seed << ": " << all.binds() << " binds");
  }
}

BOOST_AUTO_TEST_CASE(word_of_a_failure_has_a_healthy_server_probed_once) {
  peers_state a{options_of("a", 0), start};
  a.set_health({server_as(breaker_state::closed)}, start);
  auto told = a.hear("b", word_of(breaker_state::open, 100ms), start);
  BOOST_TEST_REQUIRE(told.suspects.size() == 1U);
  BOOST_TEST(told.suspects[0].id == 3U);
  // It goes on to see it down, for however long: that is no news.
  for (int s = 1; s < 600; ++s) {
    told = a.hear("b", word_of(breaker_state::open, milliseconds{100 + 1000 * s}), start + seconds{s});
    BOOST_TEST_REQUIRE(told.suspects.empty());
  }
  a.hear("b", word_of(breaker_state::closed), start + 601s);
  BOOST_TEST(a.hear("b", word_of(breaker_state::open, 10ms), start + 602s).suspects.size() == 1U);
}

BOOST_AUTO_TEST_CASE(peers_that_lie_have_a_server_probed_at_a_bounded_rate) {
  peers_state a{options_of("a", 0), start};
  a.set_health({server_as(breaker_state::closed)}, start);
  std::size_t probes = 0;
  // Another failure each time, from both of them, twenty times a second for a minute.
  for (int i = 0; i < 1200; ++i) {
    const auto now = start + 50ms * i;
    for (const char* peer : {"b", "c"}) {
      probes += a.hear(peer, word_of(breaker_state::closed), now).suspects.size();
      probes += a.hear(peer, word_of(breaker_state::open, milliseconds{i % 3}), now).suspects.size();
    }
  }
  BOOST_TEST(probes <= 60U);
  BOOST_TEST(probes >= 50U);
}

BOOST_AUTO_TEST_CASE(nothing_is_probed_for_a_stranger_or_of_a_server_that_is_down_or_unknown_here) {
  peers_state a{options_of("a", 0), start};
  a.set_health({server_as(breaker_state::closed)}, start);
  BOOST_TEST(a.hear("mallory", word_of(breaker_state::open), start).suspects.empty());
  BOOST_TEST(!a.is_peer("mallory"));
  auto other = word_of(breaker_state::open);
  other.servers[0].server = "elsewhere:389";
  BOOST_TEST(a.hear("b", other, start).suspects.empty());
  BOOST_TEST(a.hear("b", word_of(breaker_state::suspended), start + 1s).suspects.empty());
  a.set_health({server_as(breaker_state::open)}, start + 2s);
  BOOST_TEST(a.hear("b", word_of(breaker_state::open), start + 2s).suspects.empty());
}

BOOST_AUTO_TEST_CASE(a_node_tells_since_when_and_why_a_server_is_down) {
  peers_state a{options_of("a", 0), start};
  a.set_health({server_as(breaker_state::closed)}, start);
  auto down = server_as(breaker_state::open);
  down.last_error = "connection refused";
  a.set_health({down}, start + 5s);
  down.breaker = breaker_state::half_open;
  a.set_health({down}, start + 6s);
  const auto told = a.tell("b", start + 8s);
  BOOST_TEST_REQUIRE(told.servers.size() == 1U);
  BOOST_TEST(told.servers[0].server == server);
  BOOST_TEST(told.servers[0].down_for.count() == 3000);
  BOOST_TEST(told.servers[0].reason == "connection refused");
}

BOOST_AUTO_TEST_CASE(refusals_come_with_their_time_and_go_when_their_node_takes_them_back) {
  peers_state a{options_of("a", 0), start};
  auto told = a.hear("b", refusing("print", 5000ms), start);
  BOOST_TEST_REQUIRE((told.refused_elsewhere && told.refused_elsewhere->size() == 1U));
  const auto& known = told.refused_elsewhere->at(0);
  BOOST_TEST((known.refused_at == start - 5s));
  BOOST_TEST(known.told_by == "b");
  // The same again, with what the way took: no news.
  BOOST_TEST(!a.hear("b", refusing("print", 6010ms), start + 1s).refused_elsewhere);
  // Refused once more.
  told = a.hear("b", refusing("print", 0ms), start + 900s);
  BOOST_TEST_REQUIRE((told.refused_elsewhere && told.refused_elsewhere->size() == 1U));
  BOOST_TEST((told.refused_elsewhere->at(0).refused_at == start + 900s));
  told = a.hear("b", word_of(breaker_state::closed), start + 901s);
  BOOST_TEST_REQUIRE((told.refused_elsewhere && told.refused_elsewhere->empty()));
}

BOOST_AUTO_TEST_CASE(what_a_node_was_refused_counts_although_it_ended_until_its_time_is_over) {
  peers_state a{options_of("a", 0), start};
  a.linked("b", 1, start, {});
  a.hear("b", refusing("print", 0ms), start);
  a.lost("b", 1, "gone", start + 1s, {});
  BOOST_TEST(!a.tick(start + 2s, {}).refused_elsewhere);
  // Another process, which has not tried.
  a.linked("b", 2, start + 10s, {});
  BOOST_TEST(!a.hear("b", word_of(breaker_state::closed, 0ms, 2), start + 10s).refused_elsewhere);
  const auto over = a.tick(start + 921s, {});
  BOOST_TEST_REQUIRE((over.refused_elsewhere && over.refused_elsewhere->empty()));
}

BOOST_AUTO_TEST_CASE(a_node_borrows_what_others_do_not_need_and_gives_it_back) {
  cluster c{12, 1};
  c.run(5s);  // they know each other
  c.want(0, 12);
  c.run(5s);
  BOOST_TEST(c.at(0).open == 8U);  // four of its own, two of each other's four
  const auto seen = c.at(0).state->budget(server);
  BOOST_TEST(seen.total == 12U);
  BOOST_TEST(seen.share == 4U);
  BOOST_TEST(seen.borrowed == 4U);
  BOOST_TEST(seen.opened == 8U);
  BOOST_TEST(c.at(1).state->budget(server).lent == 2U);
  // Its owner wants it back, and has it within a few exchanges, not only when the loan is over.
  c.want(1, 4);
  c.run(3s);
  BOOST_TEST(c.at(1).open == 4U);
  BOOST_TEST(c.at(0).open == 6U);
  c.want(0, 0);
  c.run(40s);
  BOOST_TEST(c.at(2).state->budget(server).lent == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_dead_node_owned_stays_unused) {
  cluster c{12, 1};
  c.run(5s);
  c.at(2).paused = true;
  for (std::size_t i = 0; i < 2; ++i) c.want(i, 12);
  c.run(120s);
  BOOST_TEST(c.open() <= 8U);
  BOOST_TEST(c.open() >= 7U);
}

BOOST_AUTO_TEST_CASE(nodes_that_do_not_agree_on_the_budget_lend_each_other_nothing) {
  peers_state a{options_of("a", 10), start};
  const auto permits = a.permits(server, start);
  permits->want(10);
  auto word = word_of(breaker_state::closed);
  word.budget = 11;
  const auto told = a.hear("b", word, start);
  BOOST_TEST_REQUIRE(told.warnings.size() == 1U);
  BOOST_TEST(told.warnings[0].text.find("budget of 11 and this one with 10") != std::string::npos,
             told.warnings[0].text);
  BOOST_TEST(a.hear("b", word, start + 1s).warnings.empty());
  BOOST_TEST(a.tell("b", start + 1s).requests.empty());
  BOOST_TEST(!a.tell("c", start + 1s).requests.empty());
  word.budget = 10;
  word.nodes = {"a", "b"};
  BOOST_TEST(a.hear("b", word, start + 2s).warnings.empty());  // said once until it is put right
  a.hear("b", word_of(breaker_state::closed), start + 3s);
  BOOST_TEST(!a.tell("b", start + 3s).requests.empty());
  BOOST_TEST(a.hear("b", word, start + 4s).warnings.at(0).text.find("other nodes (a, b)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_peer_that_lies_of_loans_neither_takes_nor_gives_more_than_there_is) {
  peers_state a{options_of("a", 12), start};
  const auto permits = a.permits(server, start);
  permits->want(12);
  auto word = word_of(breaker_state::closed);
  word.budget = 12;
  const auto asked = a.tell("b", start).requests.at(0).request;
  word.grants = {{server, 1, asked.number, 4'000'000'000U}};
  word.requests = {{server, {1, 1, 4'000'000'000U, 4'000'000'000U}}};
  a.hear("b", word, start);
  BOOST_TEST(permits->allowed() <= 4U + 4U);  // its own and what b owns
  word.requests = {{server, {1, 2, 4'000'000'000U, 4'000'000'000U}}};
  a.hear("b", word, start + 1s);
  BOOST_TEST(permits->allowed() <= 8U);
  word.requests = {{server, {1, 3, 0, 0}}};
  a.hear("b", word, start + 2s);
  BOOST_TEST(permits->allowed() <= 8U);
}

BOOST_AUTO_TEST_CASE(a_grant_for_an_earlier_process_is_none_of_this_one) {
  peers_state a{options_of("a", 12, 2), start};
  const auto permits = a.permits(server, start);
  permits->want(12);
  const auto before = permits->allowed();
  auto word = word_of(breaker_state::closed);
  word.budget = 12;
  const auto asked = a.tell("b", start).requests.at(0).request;
  word.grants = {{server, 1, asked.number, 2}};
  a.hear("b", word, start);
  BOOST_TEST(permits->allowed() == before);
}

BOOST_AUTO_TEST_CASE(servers_without_end_have_what_is_never_lent) {
  peers_state a{options_of("a", 12), start};
  for (int i = 0; i < 400; ++i) {
    const auto permits = a.permits("ldap" + std::to_string(i) + ":389", start);
    BOOST_TEST_REQUIRE(permits != nullptr);
    BOOST_TEST_REQUIRE(permits->allowed() == 2U);
  }
  BOOST_TEST(encode(a.tell("b", start)).size() <= exchange_limits::bytes);
}

BOOST_AUTO_TEST_CASE(peers_are_shown_with_since_when_and_why_not) {
  peers_state a{options_of("a", 0), start};
  BOOST_TEST_REQUIRE(a.snapshot().size() == 2U);
  BOOST_TEST(!a.snapshot()[0].connected);
  const wall_time noon{seconds{1'700'000'000}};
  a.linked("b", 7, start, noon, "dialled b (192.0.2.7:4100)");
  BOOST_TEST(a.snapshot()[0].connected);
  BOOST_TEST((a.snapshot()[0].since == noon));
  BOOST_TEST(a.snapshot()[0].link == "dialled b (192.0.2.7:4100)");
  a.tick(start + 6s, noon + 6s);  // it has said nothing for long
  BOOST_TEST(!a.snapshot()[0].connected);
  a.hear("b", word_of(breaker_state::closed), start + 7s);
  a.tick(start + 7s, noon + 7s);
  BOOST_TEST(a.snapshot()[0].connected);
  a.lost("b", 6, "an earlier link", start + 8s, noon + 8s);
  BOOST_TEST(a.snapshot()[0].connected);
  a.lost("b", 7, "its process ended", start + 9s, noon + 9s);
  BOOST_TEST(!a.snapshot()[0].connected);
  BOOST_TEST(a.snapshot()[0].link.empty());
  BOOST_TEST(a.snapshot()[0].last_error == "its process ended");
  BOOST_TEST((a.snapshot()[0].last_error_at == noon + 9s));
}

BOOST_AUTO_TEST_CASE(what_speaks_with_the_peers_may_begin_again_and_what_was_lent_counts) {
  cluster c{12, 1};
  c.run(5s);
  c.want(0, 12);
  c.run(5s);
  BOOST_TEST_REQUIRE(c.at(1).state->budget(server).lent == 2U);
  for (std::size_t i = 0; i < names.size(); ++i) c.at(i).state->lost_all("it began again", c.now(i), {});
  BOOST_TEST(c.at(1).state->budget(server).lent == 2U);
  BOOST_TEST(c.at(0).state->budget(server).borrowed == 4U);
  BOOST_TEST(!c.at(0).state->snapshot()[0].connected);
  c.play_pool(0);
  for (std::size_t i = 0; i < c.ways(); ++i) c.end(c.way_at(i));
  c.want(1, 4);
  c.run(5s);
  BOOST_TEST(c.at(1).open == 4U);
  BOOST_TEST(c.at(0).open == 6U);
}

BOOST_AUTO_TEST_CASE(together_they_never_open_more_than_the_budget_whatever_is_cut_off_or_begun_again) {
  int full = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const auto total = 6 + static_cast<std::uint32_t>(seed % 7);
    cluster c{total, seed};
    for (int i = 0; i < 400; ++i) {
      disturb(c);
      if (c.open() == total) ++full;
    }
    // All that was borrowed comes to whoever needs it when everything works again.
    heal(c);
    for (std::size_t i = 0; i < names.size(); ++i) c.want(i, 0);
    c.run(45s);
    c.want(1, 12);
    c.run(15s);
    const auto seen = c.at(1).state->budget(server);
    BOOST_TEST(seen.opened > seen.share, "seed " << seed << ": nothing could be borrowed in the end");
  }
  BOOST_TEST(full > 0);  // the budget was used to the last socket, too
}

BOOST_AUTO_TEST_CASE(a_day_of_membership_keeps_the_budget_and_grows_nothing) {
  cluster c{10, 99};
  std::size_t longest = 0;
  for (int hour = 0; hour < 24; ++hour) {
    for (int minute = 0; minute < 60; ++minute) {
      for (int i = 0; i < 4; ++i) disturb(c);
      heal(c);
      for (std::size_t i = 0; i < names.size(); ++i) c.want(i, c.below(8));
      c.run(58s);
    }
    c.want(0, 10), c.want(1, 0), c.want(2, 0);
    c.run(45s);
    BOOST_TEST(c.at(0).open > 4U, "hour " << hour);
    for (std::size_t i = 0; i < names.size(); ++i)
      longest = std::max(longest, encode(c.at(i).state->tell(names[(i + 1) % 3], c.now(i))).size());
  }
  BOOST_TEST(longest < 512U);
}
