// The bind lockout guard under random asking, answering and changing of secrets: no account is locked by us.
#include "support/property.hpp"
#include "understudy/actors/connection_manager/bind_lockout_guard.hpp"

#include <array>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

using verdict_kind = credential_verdict::kind;

/// Of its numbers `a` says of which account or bind, `b` what.
enum class event : std::uint8_t { ask, accept, refuse, know_nothing, vanish, change, retry_now, pass };

constexpr std::array<const char*, 8> names(event) {
  return {"ask", "accept", "refuse", "know_nothing", "vanish", "change", "retry_now", "pass"};
}

using command = command_of<event>;

rc::Gen<std::vector<command>> commands() {
  using kind = command::kind;
  const auto what = rc::gen::weightedElement<kind>({{12, kind::ask},
                                                    {2, kind::accept},
                                                    {6, kind::refuse},
                                                    {2, kind::know_nothing},
                                                    {1, kind::vanish},
                                                    {4, kind::change},
                                                    {1, kind::retry_now},
                                                    {5, kind::pass}});
  return commands_of(what, 12, 12);
}

/// What the guard is for, switched off.
struct weakness {
  std::function<void(bind_lockout_options&)> options;
  bool bypassed = false;  ///< every asker is let go at once
  bool refusals_unheard = false;
  bool never_ticked = false;
};

/// Two accounts of one bind DN, each with a file of its own that can be read at once, three servers each, a handful of
/// secrets.
class guarded_accounts {
 public:
  explicit guarded_accounts(weakness w) : weak_(std::move(w)), guard_(weakened()) {
    std::vector<guarded_server> servers;
    for (std::size_t account = 0; account < accounts; ++account) {
      for (int i = 0; i < 3; ++i) {
        connection_info info;
        info.bind_dn = "cn=service";
        info.password_file = std::to_string(account);
        servers.push_back({server_of(account, i), info});
      }
      values_.push_back(0);
    }
    note(guard_.set_servers(servers, now_));
    for (std::size_t account = 0; account < accounts; ++account) read_now(account);
    known_[0];
  }

  void run(const std::vector<command>& all) {
    for (const auto& c : all) step(c);
    pass(patience + seconds{1});
    must(waiting_.empty(), "everybody is answered by the deadline", waiting_.size());
  }

 private:
  using kind = command::kind;
  static constexpr std::size_t accounts = 2;
  static constexpr duration patience = seconds{30};

  struct asker {
    std::size_t account = 0;
    server_id server = 0;
    time_point asked{}, deadline{};
  };
  struct bind {
    std::size_t account = 0;
    server_id server = 0;
    int value = 0;
    std::uint64_t version = 0;
    int life = 0;              ///< of the secret, when it was given
    time_point alone_until{};  ///< other servers' binds are kept back as long; not by a server that hung before
    time_point silent_at{};    ///< … and no longer
    time_point turn_until{};   ///< nor its own server's
    bool untried = true;
    bool vanished = false;   ///< there will be no verdict
    bool overruled = false;  ///< by a command to try again now
    bool settled = false;    ///< its secret was accepted meanwhile
  };
  struct knowledge {
    std::optional<time_point> accepted, refused;
    int life = 0;  ///< ascends each time it comes to be used again
  };
  struct refusal {
    std::size_t account = 0;
    int value = 0, life = 0;
    time_point when{};
  };

  bind_lockout_options weakened() const {
    auto o = options_;
    o.fresh_reading = {};
    if (weak_.options) weak_.options(o);
    return o;
  }
  static secret secret_number(int n) { return secret{"secret " + std::to_string(n)}; }
  static server_id server_of(std::size_t account, int number) {
    return static_cast<server_id>(account * 3) + static_cast<server_id>(number % 3);
  }

  void step(const command& c) {
    const auto account = static_cast<std::size_t>(c.a) % accounts;
    switch (c.what) {
      case kind::ask:
        return ask(account, server_of(account, c.b));
      case kind::accept:
        return on_verdict(c.b, verdict_kind::accepted);
      case kind::refuse:
        return on_verdict(c.b, verdict_kind::refused);
      case kind::know_nothing:
        return on_verdict(c.b, verdict_kind::unknown);
      case kind::vanish:
        if (!binds_.empty()) pick(c.b)->vanished = true;
        return;
      case kind::change:
        return change(account, c.b % 8);
      case kind::retry_now:
        guard_.resume(server_of(account, 0), now_);
        known_[values_[account]].refused.reset();
        std::erase_if(refusals_, [&](const refusal& r) { return r.account == account; });
        // Whoever says so wants it tried now, whatever is under way.
        for (auto& b : binds_)
          if (b.value == values_[account]) b.overruled = true;
        return;
      case kind::pass:
        return pass(milliseconds{c.b * c.b * c.b * c.a * 20});
    }
  }

  std::vector<bind>::iterator pick(int b) { return binds_.begin() + b % static_cast<std::ptrdiff_t>(binds_.size()); }

  void ask(std::size_t account, server_id server) {
    const auto request_id = ++last_request_id_;
    waiting_[request_id] = {account, server, now_, now_ + patience};
    note(guard_.ask(request_id, server, now_ + patience, now_));
    if (weak_.bypassed && waiting_.count(request_id) > 0) note({{{request_id, {{}, {}, 1, 1}, nullptr}}, {}, {}, {}});
  }

  /// Has the account's file read: by one who asks and has no time, so that nothing else comes of it.
  void read_now(std::size_t account) {
    const auto request_id = ++last_request_id_;
    auto done = guard_.ask(request_id, server_of(account, 0), now_, now_);
    std::erase_if(done.answers, [&](const bind_permission& a) { return a.request_id == request_id; });
    note(done);
  }

  void note(const bind_lockout_actions& done) {
    for (const auto& a : done.answers) {
      const auto found = waiting_.find(a.request_id);
      must(found != waiting_.end(), "everybody is answered once", a.request_id);
      must(now_ <= found->second.deadline, "everybody is answered by the deadline", a.request_id);
      must((a.value.version == 0) == (a.refusal != nullptr), "an answer is a secret or a reason");
      const auto who = found->second;
      waiting_.erase(found);
      if (a.value.version != 0) let_go(who, a.value.version);
    }
    for (const auto& read : done.reads) {
      const auto account = static_cast<std::size_t>(std::stoul(read.source.password_file));
      note(guard_.read_done(read.number, {secret_number(values_[account]), {}}, now_));
    }
  }

  void let_go(const asker& caller, std::uint64_t version) {
    const int value = values_[caller.account];
    auto& k = known_[value];
    must(!k.refused || now_ >= *k.refused + options_.retry, "nothing binds with a refused secret", value);
    const bool fresh = k.accepted && now_ < *k.accepted + options_.fresh_verdict;
    for (const auto& b : binds_) {
      if (being_accepted_ || b.value != value || b.overruled || b.settled) continue;
      must(now_ >= b.alone_until, "what may be refused goes alone", value);
      must(b.server != caller.server || now_ >= b.turn_until, "a silent server gets no second bind", value);
    }
    // Those that the acceptance lets go keep nobody waiting.
    const auto turn = being_accepted_ ? duration::zero() : k.accepted ? options_.renewed_turn : options_.turn;
    const auto silence = std::min(fresh ? options_.fresh_silence : options_.silence, turn);
    note_mute();
    const auto alone = fresh && mute_.count(caller.server) > 0 ? duration::zero() : silence;
    binds_.push_back({caller.account, caller.server, value, version, k.life, now_ + alone, now_ + silence, now_ + turn,
                      !k.accepted});
  }

  void note_mute() {
    for (const auto& b : binds_)
      if (now_ >= b.turn_until) mute_.insert(b.server);
  }

  void on_verdict(int b, verdict_kind verdict) {
    if (binds_.empty()) return;
    const auto it = pick(b);
    const auto ended = *it;
    if (ended.vanished) return;
    binds_.erase(it);
    auto& k = known_[ended.value];
    failure_ptr cause;
    if (verdict == verdict_kind::unknown) {
      cause = make_failure(errc::connection_timeout, stage::bind, "no answer");
      mute_.insert(ended.server);
    } else {
      mute_.erase(ended.server);
    }
    if (verdict == verdict_kind::accepted) {
      k.accepted = now_;
      k.refused.reset();
      std::erase_if(refusals_, [&](const refusal& r) { return values_[r.account] == ended.value; });
      for (auto& other : binds_)
        if (other.value == ended.value) other.settled = true;
    }
    if (verdict == verdict_kind::refused) {
      k.refused = now_;
      k.accepted.reset();
      if (ended.untried && now_ < ended.turn_until) count_refusal(ended);
    }
    if (weak_.refusals_unheard && verdict == verdict_kind::refused) return;
    being_accepted_ = verdict == verdict_kind::accepted;
    note(guard_.on_verdict({ended.server, ended.version, verdict, cause}, now_, wall_time{}));
    being_accepted_ = false;
  }

  void count_refusal(const bind& ended) {
    std::erase_if(refusals_, [&](const refusal& r) { return now_ >= r.when + options_.retry; });
    const auto mine = [&](const refusal& r) { return r.account == ended.account; };
    const auto same = [&](const refusal& r) { return mine(r) && r.value == ended.value && r.life == ended.life; };
    if (std::any_of(refusals_.begin(), refusals_.end(), same)) return;  // under way together
    refusals_.push_back({ended.account, ended.value, ended.life, now_});
    const auto count = static_cast<std::size_t>(std::count_if(refusals_.begin(), refusals_.end(), mine));
    must(count <= options_.refusals, "no more secrets are refused than an account may stand", count);
  }

  void change(std::size_t account, int value) {
    const int before = values_[account];
    if (before == value) return;
    const bool used = std::count(values_.begin(), values_.end(), value) > 0;
    note_mute();
    std::erase_if(binds_, [&](const bind& b) { return b.vanished && now_ >= b.turn_until; });
    const bool under_way = std::any_of(binds_.begin(), binds_.end(), [&](const bind& b) { return b.value == value; });
    // Whether it is remembered then is not promised; one that does not go twice is a test of its own.
    if (!used && under_way) return;
    values_[account] = value;
    if (!used) {
      auto& k = known_[value];
      ++k.life;
      k.accepted.reset();
      k.refused.reset();
    }
    read_now(account);
  }

  /// As its owner does it: told of time when it asked for that.
  void pass(duration span) {
    const auto end = now_ + span;
    for (int n = 0; n < 10000; ++n) {
      const auto next = guard_.next_tick();
      if (weak_.never_ticked || next > end) break;
      now_ = std::max(now_, next);
      note(guard_.tick(now_));
      must(n < 9999, "it does not ask for time without end");
    }
    now_ = end;
    for (const auto& [request_id, who] : waiting_) {
      must(now_ <= who.deadline, "everybody is answered by the deadline", request_id);
      must(now_ < patient_until(who), "a silent server keeps others waiting for a moment only", request_id);
    }
  }

  /// Until when `caller` may be kept waiting by what is under way with the secret that is the account's now.
  time_point patient_until(const asker& caller) const {
    auto until = caller.asked;
    for (const auto& b : binds_) {
      if (b.value != values_[caller.account] || b.settled) continue;
      until = std::max(until, b.server == caller.server ? b.turn_until : b.silent_at);
    }
    return std::max(until, now_ + (until > now_ ? duration{1} : duration::zero()));
  }

  bind_lockout_options options_;
  weakness weak_;
  bind_lockout_guard guard_;
  std::vector<int> values_;  ///< each account's secret
  std::map<int, knowledge> known_;
  std::map<std::uint64_t, asker> waiting_;
  std::vector<bind> binds_;  ///< under way
  std::vector<refusal> refusals_;
  std::uint64_t last_request_id_ = 0;
  bool being_accepted_ = false;
  std::set<server_id> mute_;  ///< their last bind brought no verdict
  time_point now_{std::chrono::hours{1}};
};

auto any_day(weakness w = {}) {
  return [w] { guarded_accounts{w}.run(*commands().as("commands")); };
}

void expect_broken(const char* promise, weakness w) {
  expect_counterexample(promise, {2000, 80}, any_day(std::move(w)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_account_is_locked_whatever_happens) { check_property("bind lockout", {8000, 100}, any_day()); }

BOOST_AUTO_TEST_CASE(guard_that_is_bypassed_lets_a_secret_go_twice_that_may_be_refused) {
  weakness bypassed, hasty;
  bypassed.bypassed = true;
  hasty.options = [](bind_lockout_options& o) { o.silence = milliseconds{1}; };
  expect_broken("what may be refused goes alone", bypassed);
  expect_broken("what may be refused goes alone", hasty);
}

BOOST_AUTO_TEST_CASE(guard_with_short_turns_sends_a_silent_server_one_bind_after_the_other) {
  weakness hasty;
  hasty.options = [](bind_lockout_options& o) { o.turn = o.renewed_turn = o.silence; };
  expect_broken("a silent server gets no second bind", hasty);
}

BOOST_AUTO_TEST_CASE(guard_that_waits_for_the_silent_keeps_everybody_waiting) {
  weakness patient;
  patient.options = [](bind_lockout_options& o) { o.silence = o.turn = o.renewed_turn = seconds{25}; };
  expect_broken("a silent server keeps others waiting for a moment only", patient);
}

BOOST_AUTO_TEST_CASE(guard_that_forgets_refusals_sends_refused_secrets) {
  weakness deaf, impatient;
  deaf.refusals_unheard = true;
  impatient.options = [](bind_lockout_options& o) { o.retry = seconds{1}; };
  expect_broken("nothing binds with a refused secret", deaf);
  expect_broken("nothing binds with a refused secret", impatient);
}

BOOST_AUTO_TEST_CASE(guard_without_a_limit_lets_one_secret_after_another_be_refused) {
  weakness w;
  w.options = [](bind_lockout_options& o) { o.refusals = 1000; };
  expect_broken("no more secrets are refused than an account may stand", w);
}

BOOST_AUTO_TEST_CASE(guard_that_is_not_told_of_time_keeps_somebody_waiting) {
  weakness w;
  w.never_ticked = true;
  expect_broken("everybody is answered by the deadline", w);
}
