// The budget that nodes share: what each owns, lends and gives back, and that all together never exceed it.
#include "understudy/actors/node/connection_budget.hpp"
#include "support/property.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <deque>
#include <optional>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

const std::vector<std::string> node_names{"a", "b", "c"};

/// Three nodes, each with a clock of its own, and what is on its way between them.
class cluster {
 public:
  struct node {
    std::optional<connection_budget> budget;
    std::uint64_t process = 0;
    time_point now = time_point{} + std::chrono::hours{1};
    std::uint32_t open = 0;
    bool paused = false;
    duration term{};
  };
  struct message {
    std::size_t from = 0, to = 0;           // the borrower, the owner
    std::uint64_t borrower = 0, owner = 0;  // their processes: a link ends with either
    loan_request request;
    std::optional<std::uint32_t> answer;
  };

  explicit cluster(std::uint32_t total) : total_(total) {
    for (std::size_t i = 0; i < node_names.size(); ++i) start(i);
  }

  node& at(std::size_t i) { return nodes_.at(i); }
  connection_budget& budget(std::size_t i) { return *nodes_.at(i).budget; }
  std::uint32_t open() const {
    std::uint32_t all = 0;
    for (const auto& one : nodes_) all += one.open;
    return all;
  }
  std::size_t on_the_way() const { return wire_.size(); }

  /// Kills its process, if there is one, and begins another.
  void start(std::size_t i) {
    auto& one = nodes_.at(i);
    one.open = 0;
    one.paused = false;
    budget_options options;
    options.total = total_;
    options.nodes = node_names;
    options.self = node_names[i];
    options.incarnation = ++one.process;
    options.term = term;
    one.budget.emplace(options, one.now);
    for (std::size_t other = 0; other < nodes_.size(); ++other)
      if (nodes_[other].budget && other != i) {
        lose_all([&](const message& m) { return (m.from == i && m.to == other) || (m.from == other && m.to == i); });
        nodes_[other].budget->met(node_names[i], nodes_[other].now);
      }
  }
  void want(std::size_t i, std::uint32_t sockets) {
    if (!at(i).paused) budget(i).want(sockets, at(i).now);
  }
  void open_some(std::size_t i, std::uint32_t count) {
    for (; count > 0 && !at(i).paused && budget(i).permits()->open(); --count) ++at(i).open;
  }
  void close_some(std::size_t i, std::uint32_t count) {
    for (; count > 0 && !at(i).paused && at(i).open > 0; --count) {
      --at(i).open;
      budget(i).permits()->close();
    }
  }
  /// As a pool does that is told to have fewer.
  void obey(std::size_t i) {
    const auto allowed = budget(i).permits()->allowed();
    if (at(i).open > allowed) close_some(i, at(i).open - allowed);
  }
  void ask(std::size_t i) {
    if (at(i).paused) return;
    for (const auto& one : budget(i).take_requests(at(i).now)) {
      const auto to = static_cast<std::size_t>(one.owner[0] - 'a');
      wire_.push_back({i, to, at(i).process, at(to).process, one.request, {}});
    }
  }
  /// That message arrives: a request is answered, an answer is taken.
  void deliver(std::size_t which) {
    if (wire_.empty()) return;
    auto at_wire = wire_.begin() + static_cast<std::ptrdiff_t>(which % wire_.size());
    auto one = *at_wire;
    const bool asks = !one.answer;
    if (at(asks ? one.to : one.from).paused) return;
    wire_.erase(at_wire);
    if (asks) {
      if (before_lending) before_lending(one.request);
      one.answer = budget(one.to).lend(node_names[one.from], one.request);
      wire_.push_back(one);
    } else {
      budget(one.from).granted(node_names[one.to], one.request.number, *one.answer, at(one.from).now);
    }
  }
  void lose(std::size_t which) {
    if (wire_.empty()) return;
    const auto at_wire = wire_.begin() + static_cast<std::ptrdiff_t>(which % wire_.size());
    const auto one = *at_wire;
    if (at(one.from).paused) return;
    wire_.erase(at_wire);
    budget(one.from).lost(node_names[one.to], one.request.number, at(one.from).now);
  }
  /// Everything goes well for so long.
  void run(duration span) {
    for (duration step = milliseconds{500}; span > duration::zero(); span -= step)
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        at(i).paused = false;
        at(i).now += step;
        obey(i);
        ask(i);
        while (!wire_.empty()) deliver(0);
      }
  }

  std::function<void(loan_request&)> before_lending;
  static constexpr duration term = seconds{30};

 private:
  template <class Which>
  void lose_all(Which which) {
    for (std::size_t i = wire_.size(); i-- > 0;) {
      const auto one = wire_[i];
      if (!which(one)) continue;
      wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(i));
      if (at(one.from).process == one.borrower)
        budget(one.from).lost(node_names[one.to], one.request.number, at(one.from).now);
    }
  }

  std::uint32_t total_;
  std::array<node, 3> nodes_;
  std::deque<message> wire_;
};

enum class step { want, open, close, obey, pass, ask, deliver, lose, pause, resume, restart };
std::vector<std::string> names(step) {
  return {"want", "open", "close", "obey", "pass", "ask", "deliver", "lose", "pause", "resume", "restart"};
}

rc::Gen<std::vector<command_of<step>>> histories() {
  return commands_of(rc::gen::weightedElement<step>({{3, step::want},
                                                     {6, step::open},
                                                     {2, step::close},
                                                     {3, step::obey},
                                                     {4, step::pass},
                                                     {6, step::ask},
                                                     {10, step::deliver},
                                                     {1, step::lose},
                                                     {1, step::pause},
                                                     {1, step::resume},
                                                     {1, step::restart}}),
                     1000, 1000);
}

void play(cluster& all, const std::vector<command_of<step>>& history, std::uint32_t total) {
  for (const auto& c : history) {
    const auto i = static_cast<std::size_t>(c.a) % 3;
    const auto n = static_cast<std::uint32_t>(c.b);
    switch (c.what) {
      case step::want:
        all.want(i, n % (total + 3));
        break;
      case step::open:
        all.open_some(i, 1 + n % total);
        break;
      case step::close:
        all.close_some(i, 1 + n % total);
        break;
      case step::obey:
        all.obey(i);
        break;
      case step::pass:
        all.at(i).now += milliseconds{n * 20};
        break;
      case step::ask:
        all.ask(i);
        break;
      case step::deliver:
        all.deliver(n);
        break;
      case step::lose:
        all.lose(n);
        break;
      case step::pause:
        all.at(i).paused = true;
        break;
      case step::resume:
        all.at(i).paused = false;
        break;
      case step::restart:
        all.start(i);
        break;
    }
    must(all.open() <= total, "never more sockets than the budget", all.open());
  }
}

void played(const std::function<void(loan_request&)>& tamper) {
  const auto total = *any(rc::gen::inRange<std::uint32_t>(1, 40));
  const auto history = *histories();
  cluster all{total};
  all.before_lending = tamper;
  play(all, history, total);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_budget_is_never_exceeded_in_any_history) {
  check_property("the budget of three nodes", {4000, 400}, [] { played({}); });
}

BOOST_AUTO_TEST_CASE(the_budget_is_exceeded_when_an_owner_takes_back_what_is_still_held) {
  expect_counterexample("never more sockets than the budget", {4000, 400},
                        [] { played([](loan_request& loan) { loan.held = 0; }); });
}

BOOST_AUTO_TEST_CASE(after_any_history_who_alone_wants_sockets_has_all_that_may_be_lent) {
  check_property("a node that alone wants sockets", {1000, 200}, [] {
    const auto total = *any(rc::gen::inRange<std::uint32_t>(1, 40));
    const auto history = *histories();
    const auto hungry = static_cast<std::size_t>(*any(rc::gen::inRange(0, 3)));
    cluster all{total};
    play(all, history, total);
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      all.at(i).paused = false;
      all.want(i, i == hungry ? total : 0);
      all.close_some(i, total);
      most += i == hungry ? all.budget(i).share() : all.budget(i).share() / 2;
    }
    all.run(3 * cluster::term);
    must(all.budget(hungry).permits()->allowed() == most, "it has its share and half of each other's",
         all.budget(hungry).permits()->allowed());
  });
}

BOOST_AUTO_TEST_CASE(shares_are_equal_and_add_up) {
  for (const std::uint32_t total : {0U, 1U, 2U, 3U, 10U, 200U}) {
    cluster all{total};
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 3; ++i) sum += all.budget(i).share();
    BOOST_TEST(sum == total);
    BOOST_TEST(all.budget(0).share() - all.budget(2).share() <= 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_node_of_its_own_has_all_of_it_at_once) {
  connection_budget alone{{10, {"a"}, "a", 1, seconds{30}}, time_point{}};
  BOOST_TEST(alone.permits()->allowed() == 10U);
  BOOST_TEST((alone.next() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_not_configured_is_lent_nothing) {
  connection_budget one{{10, {"a", "b"}, "a", 1, seconds{30}}, time_point{}};
  BOOST_TEST(one.lend("b", {1, 1, 0, 0}) == 0U);
  BOOST_TEST(one.lend("stranger", {1, 1, 0, 5}) == 0U);
  BOOST_TEST(one.permits()->allowed() == 5U);
  BOOST_TEST(one.lend("b", {1, 2, 0, 5}) == 2U);
  BOOST_TEST(one.permits()->allowed() == 3U);
}

BOOST_AUTO_TEST_CASE(a_process_that_begins_uses_the_half_that_is_never_lent_until_it_has_heard_of_all) {
  cluster all{30};
  BOOST_TEST(all.budget(0).permits()->allowed() == 5U);
  all.run(seconds{1});
  BOOST_TEST(all.budget(0).permits()->allowed() == 10U);
  all.want(1, 30);
  all.run(seconds{20});
  all.open_some(1, 30);
  BOOST_TEST(all.at(1).open == 20U);
  all.start(0);
  BOOST_TEST(all.budget(0).permits()->allowed() == 5U);
  all.run(seconds{1});
  BOOST_TEST(all.budget(0).permits()->allowed() == 5U, "it lent the other half before");
  BOOST_TEST(all.at(1).open == 20U, "who holds it keeps it");
}

BOOST_AUTO_TEST_CASE(an_owner_gets_back_what_it_needs_itself) {
  cluster all{30};
  all.want(1, 30);
  all.run(seconds{20});
  all.open_some(1, 30);
  all.want(0, 10);
  all.run(cluster::term);
  BOOST_TEST(all.budget(0).permits()->allowed() == 10U);
  BOOST_TEST(all.at(1).open == 15U);
}

BOOST_AUTO_TEST_CASE(who_hears_nothing_of_the_owner_gives_the_loan_back) {
  cluster all{30};
  all.want(1, 30);
  all.run(seconds{20});
  all.open_some(1, 30);
  // Cut off: what it asks is lost.
  for (int i = 0; i < 70; ++i) {
    all.at(1).now += milliseconds{500};
    all.ask(1);
    while (all.on_the_way() > 0) all.lose(0);
    all.obey(1);
  }
  BOOST_TEST(all.at(1).open == 10U);
  BOOST_TEST(all.budget(0).permits()->allowed() == 5U, "the owner does not know");
  all.want(1, 0);
  all.run(seconds{20});
  BOOST_TEST(all.budget(0).permits()->allowed() == 10U, "until they meet again");
}

BOOST_AUTO_TEST_CASE(permits_are_never_lent_while_somebody_opens) {
  socket_permits permits{3};
  BOOST_TEST(permits.open());
  BOOST_TEST(permits.open());
  BOOST_TEST(permits.lower_unused(5) == 1U);
  BOOST_TEST(!permits.open());
  permits.lower(1);
  BOOST_TEST(permits.allowed() == 1U);
  BOOST_TEST(permits.opened() == 2U);
  permits.close();
  BOOST_TEST(!permits.open());
  permits.raise(1);
  BOOST_TEST(permits.open());
}
