// What a node grants its peers: permissions, credit, leases, and what ends with a link.
#include "understudy/actors/node/gateway_state.hpp"

#include "support/property.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct granted_peers {
  static gateway_limits small() {
    gateway_limits l;
    l.most_requests = 3;
    l.most_bytes = 1000;
    return l;
  }
  gateway_state state{small()};
  time_point now{std::chrono::hours{1}};
  gateway_peer a{1, "a", node_permission::write}, b{2, "b", node_permission::write};

  static request_frame frame(std::uint64_t number, request_kind kind = request_kind::operation) {
    request_frame f;
    f.kind = kind;
    f.number = number;
    f.left = seconds{1};
    f.protocol_op = std::string(1, static_cast<char>(opaque_request::search));
    return f;
  }
  errc ask(const gateway_peer& peer, const request_frame& f, std::size_t bytes = 10) {
    const auto why = state.admit(peer, f, bytes, now);
    return why ? why->code : errc::none;
  }
  void grant(const gateway_peer& peer, std::uint64_t number, lease_id id) {
    BOOST_TEST_REQUIRE((ask(peer, frame(number, request_kind::acquire)) == errc::none));
    BOOST_TEST_REQUIRE(state.granted({peer.link, number}, {id, 7}, now));
    BOOST_TEST_REQUIRE(state.answered({peer.link, number}));
  }
  errc use(const gateway_peer& peer, std::uint64_t number, lease_id id) {
    auto f = frame(number);
    f.lease = id;
    return ask(peer, f);
  }
};

request_frame order(request_kind kind, std::uint8_t tag = 0, const std::string& name = {}) {
  request_frame f;
  f.kind = kind;
  f.number = 1;
  f.name = name;
  if (tag != 0) f.protocol_op = std::string(1, static_cast<char>(tag));
  return f;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_peer_has_so_many_requests_and_bytes_and_no_more, granted_peers) {
  for (std::uint64_t n = 1; n <= 3; ++n) BOOST_TEST((ask(a, frame(n)) == errc::none));
  BOOST_TEST((ask(a, frame(4)) == errc::queue_full));
  // Another peer has its own.
  BOOST_TEST((ask(b, frame(1), 900) == errc::none));
  BOOST_TEST((ask(b, frame(2), 101) == errc::queue_full));
  BOOST_TEST((ask(b, frame(2), 100) == errc::none));
  BOOST_TEST(state.answered({1, 2}));
  BOOST_TEST(!state.answered({1, 2}));
  BOOST_TEST((ask(a, frame(4)) == errc::none));
  BOOST_TEST(state.answered({2, 1}));
  BOOST_TEST((ask(b, frame(3), 900) == errc::none));
  // What is answered at once takes no credit.
  for (const auto kind : {request_kind::hello, request_kind::ping, request_kind::cancel})
    BOOST_TEST((ask(a, frame(0, kind)) == errc::none));
}

BOOST_FIXTURE_TEST_CASE(all_links_of_one_name_are_bounded_together_and_others_are_served, granted_peers) {
  gateway_state node{gateway_limits{}};
  const auto& limits = node.limits();
  gateway_peer peer{0, "greedy", node_permission::read};
  const auto fill = [&](std::size_t links, std::size_t bytes) {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < links; ++i) {
      ++peer.link;
      for (std::uint64_t n = 1; n <= limits.most_requests; ++n)
        if (node.admit(peer, frame(n), bytes, now) == nullptr) ++taken;
    }
    return taken;
  };
  BOOST_TEST(fill(100, 10) == limits.most_requests_of_owner);
  const auto why = node.admit(peer, frame(1000), 10, now);
  BOOST_TEST_REQUIRE(why != nullptr);
  BOOST_TEST((why->code == errc::queue_full));
  BOOST_TEST(why->message.find("all links of \"greedy\"") != std::string::npos, why->message);
  // The same name with another permission is another one's.
  BOOST_TEST((node.admit({1000, "greedy", node_permission::write}, frame(1), 10, now) == nullptr));
  BOOST_TEST((node.admit({1001, "other", node_permission::read}, frame(1), 10, now) == nullptr));
  // What ends makes room, and a link that ends makes as much as it had.
  BOOST_TEST(node.answered({1, 1}));
  BOOST_TEST((node.admit({1002, "greedy", node_permission::read}, frame(1), 10, now) == nullptr));
  node.lost(2);
  BOOST_TEST(fill(2, 10) == limits.most_requests);
  for (std::uint64_t link = 1; link <= 1002; ++link) node.lost(link);
  peer.name = "with much";
  BOOST_TEST(fill(100, 100'000) == limits.most_bytes_of_owner / 100'000);
}

BOOST_FIXTURE_TEST_CASE(all_names_are_bounded_together_and_operators_and_what_makes_room_are_not, granted_peers) {
  auto limits = small();
  limits.most_requests_of_owner = 3;
  limits.most_requests_of_all = 6;
  gateway_state node{limits};
  const auto asks = [&](const gateway_peer& peer, const request_frame& f) {
    const auto why = node.admit(peer, f, 10, now);
    return why ? why->code : errc::none;
  };
  for (std::uint64_t link = 1; link <= 2; ++link)
    for (std::uint64_t n = 1; n <= 3; ++n)
      BOOST_TEST((asks({link, std::to_string(link), node_permission::read}, frame(n)) == errc::none));
  const gateway_peer third{3, "third", node_permission::read};
  BOOST_TEST((asks(third, frame(1)) == errc::queue_full));
  BOOST_TEST((asks(third, frame(1, request_kind::exchange)) == errc::none));
  BOOST_TEST((asks({4, "operator", node_permission::admin}, frame(1, request_kind::status)) == errc::none));
  node.lost(1);
  BOOST_TEST((asks(third, frame(2)) == errc::none));
}

BOOST_FIXTURE_TEST_CASE(so_many_leases_are_held_or_asked_for_by_a_name, granted_peers) {
  const gateway_peer again{3, "a", node_permission::write};
  const auto begins = [&](const gateway_peer& peer, std::uint64_t number) {
    BOOST_TEST_REQUIRE((ask(peer, frame(number, request_kind::acquire)) == errc::none));
    return state.begin_acquire({peer.link, number}, 2);
  };
  BOOST_TEST(begins(a, 1));
  BOOST_TEST(begins(again, 1));
  BOOST_TEST(!begins(again, 2));
  BOOST_TEST(begins(b, 1));
  // One is granted, and counts once; the other one comes to nothing.
  BOOST_TEST(state.granted({1, 1}, {50, 7}, now));
  BOOST_TEST(state.answered({1, 1}));
  BOOST_TEST(!state.begin_acquire({3, 2}, 2));
  BOOST_TEST(state.answered({3, 1}));
  BOOST_TEST(state.begin_acquire({3, 2}, 2));
  BOOST_TEST(!begins(a, 2));
  BOOST_TEST(state.release(1, 50).has_value());
  BOOST_TEST(state.begin_acquire({1, 2}, 2));
  BOOST_TEST(!begins(a, 3));
  state.lost(3);
  BOOST_TEST(state.begin_acquire({1, 3}, 2));
}

BOOST_FIXTURE_TEST_CASE(a_name_has_so_many_checks_of_all_servers_under_way, granted_peers) {
  gateway_state node{gateway_limits{}};
  for (std::uint64_t n = 1; n <= 64; ++n)
    BOOST_TEST((node.admit(a, frame(n, request_kind::health), 10, now) == nullptr));
  const auto why = node.admit({3, "a", node_permission::write}, frame(1, request_kind::health), 10, now);
  BOOST_TEST_REQUIRE(why != nullptr);
  BOOST_TEST((why->code == errc::queue_full));
  BOOST_TEST((node.admit(b, frame(1, request_kind::health), 10, now) == nullptr));
  BOOST_TEST((node.admit(a, frame(65), 10, now) == nullptr));
  BOOST_TEST(node.answered({1, 1}));
  BOOST_TEST((node.admit(a, frame(1, request_kind::health), 10, now) == nullptr));
}

BOOST_FIXTURE_TEST_CASE(no_order_is_for_a_server_whose_number_is_cut_off, granted_peers) {
  const gateway_peer by{9, "operator", node_permission::admin};
  for (const auto kind : {request_kind::suspend, request_kind::resume}) {
    auto f = frame(1, kind);
    f.target = (std::uint64_t{1} << 32) + 2;
    const auto why = state.admit(by, f, 10, now);
    BOOST_TEST_REQUIRE(why != nullptr);
    BOOST_TEST((why->code == errc::invalid_request));
    BOOST_TEST(why->message.find("4294967298") != std::string::npos, why->message);
    f.target = UINT32_MAX;
    f.number = static_cast<std::uint64_t>(kind);
    BOOST_TEST((ask(by, f) == errc::none));
  }
}

BOOST_FIXTURE_TEST_CASE(a_number_is_used_once_at_a_time, granted_peers) {
  BOOST_TEST((ask(a, frame(5)) == errc::none));
  BOOST_TEST((ask(a, frame(5)) == errc::invalid_request));
  BOOST_TEST((ask(a, frame(0)) == errc::invalid_request));
  BOOST_TEST((ask(b, frame(5)) == errc::none));
}

BOOST_FIXTURE_TEST_CASE(each_permission_allows_what_it_says, granted_peers) {
  using kind = request_kind;
  using may = node_permission;
  const std::vector<std::pair<request_frame, may>> all{
      {order(kind::operation, opaque_request::search), may::read},
      {order(kind::operation, opaque_request::compare), may::read},
      {order(kind::operation, opaque_request::modify), may::write},
      {order(kind::operation, opaque_request::add), may::write},
      {order(kind::operation, opaque_request::remove), may::write},
      {order(kind::operation, opaque_request::modify_dn), may::write},
      {order(kind::operation, opaque_request::extended), may::write},
      {order(kind::operation), may::write},
      {order(kind::bind), may::read},
      {order(kind::extended, 0, "1.3.6.1.4.1.4203.1.11.3"), may::read},
      {order(kind::extended, 0, "1.3.6.1.4.1.4203.1.11.1"), may::write},
      {order(kind::password_modify), may::write},
      {order(kind::acquire), may::read},
      {order(kind::status), may::read},
      {order(kind::health), may::read},
      {order(kind::suspend), may::admin},
      {order(kind::resume), may::admin},
      {order(kind::drain), may::admin},
      {order(kind::reload), may::admin},
      {order(kind::tap), may::admin}};
  for (const auto& [f, needed] : all) {
    for (const auto has : {may::read, may::write, may::admin}) {
      gateway_state fresh{gateway_limits{}};
      const auto why = fresh.admit({1, "client.example.com", has}, f, 10, now);
      BOOST_TEST((why == nullptr) == (has >= needed));
      if (!why) continue;
      BOOST_TEST(why->message.find("client.example.com") != std::string::npos);
      BOOST_TEST(why->message.find(to_string(needed)) != std::string::npos);
      BOOST_TEST(fresh.lost(1).empty());
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_lease_is_used_by_its_holder_alone, granted_peers) {
  grant(a, 1, 50);
  BOOST_TEST((use(a, 2, 50) == errc::none));
  BOOST_TEST((use(b, 2, 50) == errc::invalid_lease));
  BOOST_TEST(!state.claim(2, 50));
  BOOST_TEST(!state.release(2, 50).has_value());
  BOOST_TEST(state.claim(1, 50));
  const auto back = state.release(1, 50);
  BOOST_TEST_REQUIRE(back.has_value());
  BOOST_TEST((back->id == 50 && back->server == 7));
  BOOST_TEST((use(a, 3, 50) == errc::invalid_lease));
  BOOST_TEST((ask(a, frame(4, request_kind::next_part)) == errc::invalid_lease));
}

BOOST_FIXTURE_TEST_CASE(a_grant_that_is_not_claimed_returns, granted_peers) {
  grant(a, 1, 50);
  grant(a, 2, 51);
  BOOST_TEST(state.claim(1, 51));
  BOOST_TEST((state.next_event() == now + state.limits().claim_time));
  now += state.limits().claim_time;
  const auto ended = state.expire(now);
  BOOST_TEST_REQUIRE(ended.leases.size() == 1U);
  BOOST_TEST(ended.leases[0].id == 50U);
  BOOST_TEST(state.holds(1, 51));
}

BOOST_FIXTURE_TEST_CASE(a_silent_holder_loses_its_leases_and_one_that_pings_keeps_them, granted_peers) {
  grant(a, 1, 50);
  grant(b, 1, 60);
  BOOST_TEST((state.claim(1, 50) && state.claim(2, 60)));
  for (int i = 0; i < 3; ++i) {
    now += seconds{10};
    BOOST_TEST((ask(b, frame(0, request_kind::ping)) == errc::none));
    const auto ended = state.expire(now);
    for (const auto& one : ended.leases) BOOST_TEST(one.id == 50U);
    BOOST_TEST(state.holds(1, 50) == (i == 0));
    BOOST_TEST(state.holds(2, 60));
  }
  BOOST_TEST((state.next_event() == now + state.limits().silence));
}

BOOST_FIXTURE_TEST_CASE(with_a_link_all_that_came_by_it_ends, granted_peers) {
  grant(a, 1, 50);
  grant(b, 1, 60);
  BOOST_TEST((ask(a, frame(2)) == errc::none));
  BOOST_TEST((ask(a, frame(3, request_kind::acquire)) == errc::none));
  BOOST_TEST((ask(b, frame(2)) == errc::none));
  const auto ended = state.lost(1);
  BOOST_TEST(ended.requests.size() == 2U);
  BOOST_TEST_REQUIRE(ended.leases.size() == 1U);
  BOOST_TEST(ended.leases[0].id == 50U);
  // A grant that comes now finds nobody.
  BOOST_TEST(!state.granted({1, 3}, {51, 7}, now));
  BOOST_TEST(state.holds(2, 60));
  BOOST_TEST(state.lost(1).empty());
  BOOST_TEST(state.lost(2).requests.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_request_ends_at_its_deadline, granted_peers) {
  BOOST_TEST((ask(a, frame(1)) == errc::none));
  BOOST_TEST((state.next_event() == now + seconds{1} + state.limits().grace));
  BOOST_TEST(state.expire(now + seconds{1}).empty());
  const auto ended = state.expire(now + seconds{1} + state.limits().grace);
  BOOST_TEST_REQUIRE(ended.requests.size() == 1U);
  BOOST_TEST((ended.requests[0] == gateway_state::request_key{1, 1}));
  BOOST_TEST((state.next_event() == time_point::max()));
}

BOOST_FIXTURE_TEST_CASE(a_draining_node_finishes_what_it_has, granted_peers) {
  grant(a, 1, 50);
  state.drain();
  BOOST_TEST((ask(a, frame(2)) == errc::draining));
  BOOST_TEST((ask(a, frame(2, request_kind::acquire)) == errc::draining));
  BOOST_TEST((use(a, 2, 50) == errc::none));
  BOOST_TEST((ask(a, frame(3, request_kind::status)) == errc::none));
  BOOST_TEST((ask(a, frame(0, request_kind::ping)) == errc::none));
}
