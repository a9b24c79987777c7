// Requests across links that are cut at random: each is answered once and in time, by its own answer, and nothing is
// written twice.
#include "remote_rig.hpp"
#include "support/property.hpp"

#include <array>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

enum class kind : std::uint8_t {
  read,
  write,
  lease,
  read_on,
  write_on,
  give_back,
  cancel,
  cut,
  link,
  hold,
  mute,
  drain,
  pass
};

std::array<std::string_view, 13> names(kind) {
  return {"read", "write", "lease", "read_on", "write_on", "give_back", "cancel",
          "cut",  "link",  "hold",  "mute",    "drain",    "pass"};
}
using command = command_of<kind>;

rc::Gen<std::vector<command>> commands() {
  return commands_of<kind>(rc::gen::weightedElement<kind>({{8, kind::read},
                                                           {8, kind::write},
                                                           {3, kind::lease},
                                                           {3, kind::read_on},
                                                           {3, kind::write_on},
                                                           {2, kind::give_back},
                                                           {3, kind::cancel},
                                                           {4, kind::cut},
                                                           {5, kind::link},
                                                           {5, kind::hold},
                                                           {2, kind::mute},
                                                           {1, kind::drain},
                                                           {5, kind::pass}}),
                           16, 4);
}

/// One random story of a client and two nodes.
class story {
 public:
  explicit story(const repeat_rule& may_repeat) : rig_(may_repeat), router_(rig_.router()) {
    for (auto& n : rig_.nodes) n->script->echo = true;
  }
  ~story() { router_ = nullptr; }
  story(const story&) = delete;
  story& operator=(const story&) = delete;

  void play(const std::vector<command>& all) {
    for (const auto& c : all) {
      step(c);
      rig_.run();
      look();
    }
    // The faults are over.
    for (auto& n : rig_.nodes) set_hold(*n, false);
    rig_.deaf = false;
    if (linked_) cut();
    link(0);
    rig_.advance(patience + milliseconds{200});
    look();
    for (const auto& one : asked_) must(one.told->done(), "each request is answered in time", one.name);
    must(wishes_.empty(), "each request is answered in time");
    for (const auto& g : leases_) rig_.tell(rig_.manager, release_atom_v, g.server, g.id);
    rig_.run();
    for (const auto& n : rig_.nodes) must(n->script->leases_open() == 0, "each lease returns");
    const auto got = rig_.ask<result_ptr>(router_, perform_atom_v, rig_.call_of(search_for("cn=after")));
    must(got.ok(), "everything serves again");
  }

 private:
  static constexpr duration patience = seconds{2};

  struct asked {
    std::string name;
    bool write = false;
    answer_ptr<result_ptr> told;
    cancel_token_ptr token;
    connection_actor on;  ///< null: no lease
    time_point deadline{};
  };

  static request_ptr search_for(const std::string& name) {
    search_request what;
    what.base = name;
    return make_request(std::move(what));
  }

  void ask(bool write, const lease_grant* on) {
    asked one;
    one.name = "cn=" + std::to_string(asked_.size());
    one.write = write;
    auto order = rig_.call_of(write ? make_request(delete_request{one.name}) : search_for(one.name), patience);
    order.token = one.token = std::make_shared<cancel_token>();
    one.deadline = order.deadline;
    if (on != nullptr) one.on = on->connection;
    one.told = on != nullptr ? rig_.start<result_ptr>(on->connection, perform_atom_v, on->id, order)
                             : rig_.start<result_ptr>(router_, perform_atom_v, order);
    asked_.push_back(std::move(one));
  }

  static void set_hold(remote_rig::one_node& n, bool on) {
    n.script->hold = on;
    if (!on) n.node.answer_held();
  }

  void cut() {
    linked_ = false;
    rig_.cut();
  }
  void link(std::size_t node) {
    if (linked_) cut();
    // A node that is left soon after another one is left: the next way begins a second later.
    if (drained_ && last_node_ == 1) rig_.advance(seconds{1});
    linked_ = true;
    last_node_ = node;
    rig_.link_to(node);
  }

  void step(const command& c) {
    const auto node = static_cast<std::size_t>(c.a) % rig_.nodes.size();
    const auto* some_lease = leases_.empty() ? nullptr : &leases_[static_cast<std::size_t>(c.a) % leases_.size()];
    switch (c.what) {
      case kind::read:
        return ask(false, nullptr);
      case kind::write:
        return ask(true, nullptr);
      case kind::lease:
        wishes_.push_back(rig_.ask_for_lease(patience));
        return;
      case kind::read_on:
      case kind::write_on:
        if (some_lease != nullptr) ask(c.what == kind::write_on, some_lease);
        return;
      case kind::give_back:
        if (some_lease == nullptr) return;
        rig_.tell(rig_.manager, release_atom_v, some_lease->server, some_lease->id);
        leases_.erase(leases_.begin() + (some_lease - leases_.data()));
        return;
      case kind::cancel: {
        if (asked_.empty()) return;
        const auto& one = asked_[asked_.size() - 1 - static_cast<std::size_t>(c.a) % asked_.size()];
        one.token->cancel();
        if (one.on)
          caf::anon_send(one.on, cancel_atom_v, one.token);
        else
          caf::anon_send(router_, cancel_atom_v, one.token);
        return;
      }
      case kind::cut:
        if (linked_) cut();
        return;
      case kind::link:
        return link(node);
      case kind::hold:
        return set_hold(*rig_.nodes[node], c.b > 1);
      case kind::mute:
        rig_.deaf = c.b > 1;
        return;
      case kind::drain:
        // Node 1 alone: the other one serves to the end.
        drained_ = true;
        return rig_.tell(rig_.nodes[1]->gateway, drain_atom_v);
      case kind::pass:
        return rig_.advance(milliseconds{100 * (c.b + 1) * (c.b + 1)});
    }
  }

  int done(const std::string& name) {
    int n = 0;
    for (const auto& each : rig_.nodes)
      if (const auto found = each->script->done.find(name); found != each->script->done.end()) n += found->second;
    return n;
  }

  void claim() {
    for (const auto& wish : wishes_) {
      if (!wish->ok()) continue;
      rig_.tell(rig_.manager, claim_atom_v, wish->value->server, wish->value->id);
      leases_.push_back(*wish->value);
    }
    std::erase_if(wishes_, [](const auto& wish) { return wish->done(); });
  }

  void look() {
    claim();
    for (const auto& one : asked_) {
      if (!one.told->done()) {
        must(rig_.now() < one.deadline + milliseconds{100}, "each request is answered in time", one.name);
        continue;
      }
      if (one.write) {
        must(done(one.name) <= 1, "no write is done twice", one.name);
        if (one.told->ok()) must(done(one.name) == 1, "what was done was done", one.name);
        const auto code = one.told->code();
        if (!one.told->ok() && code != errc::outcome_unknown)
          must(done(one.name) == 0, "what is said to have failed was not done",
               one.name + " " + std::string{to_string(code)});
      } else if (one.told->ok()) {
        const auto& found = **one.told->value;
        must(found.entries.size() == 1 && found.entries[0].dn == one.name, "nobody is told another's answer", one.name);
      }
    }
  }

  remote_rig rig_;
  circuit_breaker_actor router_;
  bool linked_ = false, drained_ = false;
  std::size_t last_node_ = 0;
  std::vector<asked> asked_;
  std::vector<answer_ptr<lease_grant>> wishes_;  ///< not answered yet
  std::vector<lease_grant> leases_;
};

void play(const repeat_rule& may_repeat = {}) {
  const auto all = *commands();
  story s{may_repeat};
  s.play(all);
}

}  // namespace

BOOST_AUTO_TEST_CASE(requests_across_links_that_are_cut_end_once_and_nothing_is_written_twice) {
  check_property("requests across links that are cut", {300, 60}, [] { play(); });
}

BOOST_AUTO_TEST_CASE(the_property_notices_a_client_that_repeats_writes) {
  expect_counterexample("no write is done twice", {300, 60}, [] { play([](const any_operation&) { return true; }); });
}
