// Frames in, messages to the node's actors, frames out: each request is answered once, whatever happens to it.
#include "understudy/actors/node/gateway_actor.hpp"

#include "scripted_node.hpp"
#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/actors/node/compression.hpp"
#include "understudy/actors/node/snapshot_fields.hpp"
#include "understudy/messages/ber.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct gateway_rig : virtual_runtime {
  std::shared_ptr<node_script> script = std::make_shared<node_script>();
  std::shared_ptr<node_script> of_successor = std::make_shared<node_script>();
  scripted_node node{system, script}, successor{system, of_successor};
  std::shared_ptr<written_registry> peers = std::make_shared<written_registry>();
  int reloads = 0;
  gateway_peer client{1, "client.example.com", node_permission::admin};
  gateway_actor gateway;
  std::uint64_t numbers = 0;

  /// `apart`: the manager is another actor than the router, which stands for what comes after that.
  explicit gateway_rig(bool apart = false, bool compresses = false, const gateway_limits& limits = four_at_a_time()) {
    own(node.actor());
    own(successor.actor());
    gateway_dependencies from;
    from.env = env;
    from.node = "node1";
    from.router = node.router();
    from.manager = apart ? successor.manager() : node.manager();
    from.peers = peers;
    from.limits = limits;
    from.compresses = compresses;
    from.reload = [this]() -> failure_ptr {
      ++reloads;
      return nullptr;
    };
    gateway = own(spawn_gateway(system, std::move(from)));
  }
  ~gateway_rig() {
    script->hold = of_successor->hold = false;
    caf::anon_send(node.actor(), close_atom_v);
    caf::anon_send(successor.actor(), close_atom_v);
    run();
  }

  static gateway_limits four_at_a_time() {
    gateway_limits limits;
    limits.most_requests = 4;
    return limits;
  }

  answer_ptr<answer_frame> send_bytes(std::string bytes, const gateway_peer& from) {
    auto slot = std::make_shared<answer<answer_frame>>();
    system.spawn([this, slot, bytes, from](caf::event_based_actor* self) {
      peers->add(self->address(), from);
      self->request(gateway, caf::infinite, bytes)
          .then(
              [slot](const std::string& back) {
                BOOST_TEST_REQUIRE(!slot->done());
                auto read = decode_answer(back);
                BOOST_TEST_REQUIRE(read.error == nullptr);
                if (read.value->kind == answer_kind::failed)
                  slot->error = read.value->error;
                else
                  slot->value = std::move(*read.value);
              },
              [](const caf::error& e) { BOOST_ERROR("no frame: " << to_string(e)); });
    });
    run();
    return slot;
  }
  answer_ptr<answer_frame> send(request_frame f) {
    if (f.number == 0) f.number = ++numbers;
    return send_bytes(encode(f), client);
  }
  static request_frame operation_frame(const any_operation& op, milliseconds left = seconds{5}) {
    const auto encoded = encode_operation(request{op, {}});
    request_frame f;
    f.kind = request_kind::operation;
    f.protocol_op = encoded.op.protocol_op;
    f.encoded_controls = encoded.op.controls;
    f.left = left;
    return f;
  }
  static request_frame of(request_kind kind, lease_id lease = 0) {
    request_frame f;
    f.kind = kind;
    f.left = seconds{5};
    f.lease = lease;
    return f;
  }
  lease_id take_lease(bool claim = true) {
    auto wish = of(request_kind::acquire);
    wish.flag = true;
    wish.name = "holder";
    const auto got = send(wish);
    BOOST_TEST_REQUIRE(got->ok());
    const auto id = got->value->grant.lease;
    if (claim) BOOST_TEST(send(of(request_kind::claim, id))->value->flag);
    return id;
  }
  request_frame stream_frame(lease_id lease) {
    auto f = operation_frame(search_request{}, seconds{60});
    f.kind = request_kind::begin_stream;
    f.lease = lease;
    return f;
  }
};

struct replaced_router_rig : gateway_rig {
  replaced_router_rig() : gateway_rig(true) {}
};

struct compressing_rig : gateway_rig {
  compressing_rig() : gateway_rig(false, true) {
    for (int i = 0; i < 200; ++i)
      script->answers[operation::search].entries.push_back(
          {"cn=" + std::to_string(i), {{"mail", {"user@example.com"}}}});
  }
  node_terms hello(bool reads_compressed) {
    auto frame = of(request_kind::hello);
    frame.flag = reads_compressed;
    return decode_terms(send(frame)->value->body).value.value();
  }
};

/// Answers of 100 KB, of which three are given to a link that takes none, and six more are kept.
struct slow_client_rig : gateway_rig {
  static gateway_limits small_bounds() {
    gateway_limits limits;
    limits.most_untaken = 350'000;
    limits.most_held = 650'000;
    limits.longest_frame = 200'000;
    return limits;
  }
  explicit slow_client_rig(const gateway_limits& limits = small_bounds()) : gateway_rig(false, false, limits) {
    script->answers[operation::search].entries = {{"cn=a", {{"mail", {std::string(100'000, 'm')}}}}};
    peers->taken[client.link] = 0;
  }
  std::vector<answer_ptr<answer_frame>> search(std::size_t times, milliseconds left = seconds{5}) {
    std::vector<answer_ptr<answer_frame>> all;
    for (std::size_t i = 0; i < times; ++i) all.push_back(send(operation_frame(search_request{}, left)));
    return all;
  }
  void take(std::uint64_t answers) {
    peers->taken[client.link] = answers;
    tell(gateway, credit_atom_v, client.link);
  }
  static std::size_t done(const std::vector<answer_ptr<answer_frame>>& all) {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& each) { return each->done(); }));
  }
};

struct unbounded_rig : slow_client_rig {
  static gateway_limits no_bounds() {
    gateway_limits limits;
    limits.most_untaken = SIZE_MAX;
    return limits;
  }
  unbounded_rig() : slow_client_rig(no_bounds()) {}
};

struct unmetered_rig : slow_client_rig {
  static gateway_limits no_meter() {
    auto limits = small_bounds();
    limits.most_held = SIZE_MAX;
    return limits;
  }
  unmetered_rig() : slow_client_rig(no_meter()) {}
};

/// The same of all links of one name together.
struct one_name_rig : slow_client_rig {
  static gateway_limits of_one_name() {
    auto limits = small_bounds();
    limits.most_held_of_owner = 650'000;
    return limits;
  }
  one_name_rig() : slow_client_rig(of_one_name()) { peers->taken[second_link.link] = 0; }
  gateway_peer second_link{3, client.name, client.permission};
};

struct two_leases_rig : gateway_rig {
  static gateway_limits two() {
    auto limits = four_at_a_time();
    limits.most_requests = 10;
    limits.most_leases = 2;
    return limits;
  }
  two_leases_rig() : gateway_rig(false, false, two()) {}
};

struct without_credit_rig : gateway_rig {
  static gateway_limits no_credit() {
    gateway_limits limits;
    limits.most_requests = UINT32_MAX;
    limits.most_bytes = UINT64_MAX;
    return limits;
  }
  without_credit_rig() : gateway_rig(false, false, no_credit()) {}
};

struct without_silence_rig : gateway_rig {
  static gateway_limits any_silence() {
    auto limits = four_at_a_time();
    limits.silence = std::chrono::hours{1000};
    return limits;
  }
  without_silence_rig() : gateway_rig(false, false, any_silence()) {}
};

std::size_t entries_of(const std::string& messages) {
  std::size_t n = 0;
  for (std::string_view rest{messages}; !rest.empty();) {
    const auto frame = frame_pdu(rest, rest.size());
    BOOST_TEST_REQUIRE((frame.state == pdu_frame::status::complete));
    if (frame.op == pdu_op::search_entry) ++n;
    rest.remove_prefix(frame.size);
  }
  return n;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_operation_is_performed_as_it_came_and_answered_with_messages, gateway_rig) {
  script->answers[operation::search].entries = {{"cn=a", {{"mail", {"x"}}}}};
  const auto got = send(operation_frame(search_request{}));
  BOOST_TEST_REQUIRE(got->ok());
  BOOST_TEST((got->value->kind == answer_kind::messages));
  BOOST_TEST(got->value->server == "ldap1:389");
  BOOST_TEST(entries_of(got->value->messages) == 1U);
  BOOST_TEST_REQUIRE(script->seen.size() == 1U);
  BOOST_TEST((script->seen[0].deadline == now() + seconds{5}));
  BOOST_TEST(std::get<opaque_request>(script->seen[0].what->op).protocol_op ==
             encode_operation(request{search_request{}, {}}).op.protocol_op);
}

BOOST_FIXTURE_TEST_CASE(what_a_node_is_asked_comes_with_who_may_ask_it, gateway_rig) {
  const auto terms = decode_terms(send(of(request_kind::hello))->value->body);
  BOOST_TEST_REQUIRE(terms.value.has_value());
  BOOST_TEST(terms.value->name == "node1");
  BOOST_TEST((terms.value->permission == node_permission::admin));
  BOOST_TEST(terms.value->most_requests == 4U);

  client.permission = node_permission::read;
  BOOST_TEST((send(operation_frame(delete_request{"cn=x"}))->code() == errc::invalid_request));
  BOOST_TEST((send(of(request_kind::drain))->code() == errc::invalid_request));
  BOOST_TEST(script->seen.empty());
  BOOST_TEST(send(operation_frame(search_request{}))->ok());
}

BOOST_FIXTURE_TEST_CASE(what_does_not_make_sense_or_comes_from_nobody_is_answered_too, gateway_rig) {
  const auto no_frame = send_bytes("\x30\x03zzz", client);
  BOOST_TEST((no_frame->code() == errc::invalid_request));
  const auto later = ber_element(ber_tag::sequence, ber_integer(9, 0x80) + ber_integer(2, 0x81));
  const auto version = send_bytes(later, client);
  BOOST_TEST_REQUIRE(version->error != nullptr);
  BOOST_TEST(version->error->message.find("version 9") != std::string::npos);
  BOOST_TEST((send_bytes(std::string(5 << 20, 'x'), client)->code() == errc::invalid_request));
  const auto nobody = ask<std::string>(gateway, encode(operation_frame(search_request{})));
  BOOST_TEST_REQUIRE(nobody.ok());
  BOOST_TEST((decode_answer(*nobody.value).value->kind == answer_kind::failed));
  BOOST_TEST(script->seen.empty());
}

BOOST_FIXTURE_TEST_CASE(a_failure_of_the_node_is_the_clients, gateway_rig) {
  failure why;
  why.code = errc::breaker_open;
  why.where = stage::queue;
  why.message = "no server";
  why.retry_after = milliseconds{250};
  why.cause = "refused";
  script->refuse = make_failure(failure{why});
  const auto got = send(operation_frame(search_request{}));
  BOOST_TEST_REQUIRE(got->error != nullptr);
  BOOST_TEST(describe(*got->error) == describe(why));
}

BOOST_FIXTURE_TEST_CASE(beyond_its_credit_a_peer_is_refused_at_once, gateway_rig) {
  script->hold = true;
  std::vector<answer_ptr<answer_frame>> all;
  for (int i = 0; i < 4; ++i) all.push_back(send(operation_frame(search_request{})));
  BOOST_TEST((send(operation_frame(search_request{}))->code() == errc::queue_full));
  BOOST_TEST(script->seen.size() == 4U);
  script->hold = false;
  node.answer_held();
  run();
  for (const auto& one : all) BOOST_TEST(one->ok());
  BOOST_TEST(send(operation_frame(search_request{}))->ok());
}

BOOST_FIXTURE_TEST_CASE(a_node_that_does_not_answer_in_time_is_answered_for, gateway_rig) {
  script->hold = script->deaf_to_cancel = true;
  const auto got = send(operation_frame(search_request{}, milliseconds{300}));
  advance(milliseconds{319});
  BOOST_TEST(!got->done());
  advance(milliseconds{1});
  BOOST_TEST((got->code() == errc::operation_timeout));
  BOOST_TEST(script->cancelled.size() == 1U);
  // What comes later is nobody's.
  node.answer_held();
  run();
}

BOOST_FIXTURE_TEST_CASE(a_request_is_cancelled_by_its_number, gateway_rig) {
  script->hold = true;
  auto asked = operation_frame(search_request{});
  asked.number = 77;
  const auto got = send(asked);
  auto other = of(request_kind::cancel);
  other.target = 78;
  BOOST_TEST(send(other)->ok());
  BOOST_TEST(!got->done());
  // Not another peer's.
  auto order = of(request_kind::cancel);
  order.target = 77;
  order.number = 1;
  send_bytes(encode(order), {2, "other", node_permission::write});
  BOOST_TEST(!got->done());
  BOOST_TEST(send(order)->ok());
  BOOST_TEST((got->code() == errc::cancelled));
}

BOOST_FIXTURE_TEST_CASE(a_bind_and_its_answer_cross_whole, gateway_rig) {
  auto bind = of(request_kind::bind);
  bind.name = "cn=somebody";
  bind.password = "secret-word";
  bind.controls = {{"1.2.3", true, "v"}};
  bind.wish = {"ldap1:389", true};
  script->answers[operation::bind].controls = {{"1.3.6.1.4.1.42.2.27.8.5.1", false, "policy"}};
  const auto got = send(bind);
  BOOST_TEST_REQUIRE(got->ok());
  BOOST_TEST((got->value->kind == answer_kind::outcome));
  BOOST_TEST_REQUIRE(got->value->outcome.controls.size() == 1U);
  BOOST_TEST(got->value->outcome.controls[0].value.value_or("") == "policy");
  const auto& seen = *script->seen.at(0).what;
  BOOST_TEST(std::get<bind_request>(seen.op).dn == "cn=somebody");
  BOOST_TEST((std::get<bind_request>(seen.op).password == secret{"secret-word"}));
  BOOST_TEST(seen.controls.at(0).oid == "1.2.3");
  BOOST_TEST(seen.wish.server == "ldap1:389");
  BOOST_TEST(seen.wish.global_catalog);

  script->answers[operation::bind] = {.code = 49, .diagnostic = "wrong"};
  bind.number = 0;
  const auto refused = send(bind);
  BOOST_TEST((refused->code() == errc::authentication_failed));
  BOOST_TEST(refused->error->ldap_code == 49);
}

BOOST_FIXTURE_TEST_CASE(extended_operations_and_password_changes_are_typed, gateway_rig) {
  auto extended = of(request_kind::extended);
  extended.name = "1.2.3.4";
  extended.value = "in";
  extended.flag = true;
  script->answers[operation::extended].value = "out";
  const auto got = send(extended);
  BOOST_TEST_REQUIRE(got->ok());
  BOOST_TEST(got->value->outcome.response_value.value_or("") == "out");
  BOOST_TEST(std::get<extended_request>(script->seen.at(0).what->op).repeatable);
  auto change = of(request_kind::password_modify);
  change.value = "dn:cn=x";
  change.password = "old";
  change.new_password = "new";
  BOOST_TEST(send(change)->ok());
  const auto& seen = std::get<password_modify_request>(script->seen.at(1).what->op);
  BOOST_TEST(
      (seen.user_identity == "dn:cn=x" && seen.old_password == secret{"old"} && seen.new_password == secret{"new"}));
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_no_link_carries_is_refused_by_name, gateway_rig) {
  for (int i = 0; i < 6; ++i)
    script->answers[operation::search].entries.push_back({"cn=a", {{"mail", {std::string(1 << 20, 'm')}}}});
  const auto got = send(operation_frame(search_request{}));
  BOOST_TEST((got->code() == errc::result_too_large));
  BOOST_TEST(got->error->message.find("stream()") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_lease_is_the_peers_until_it_returns_it, gateway_rig) {
  const auto id = take_lease();
  BOOST_TEST((script->claimed == std::vector<lease_id>{id}));
  BOOST_TEST(script->wishes.at(0).holder == "holder");
  auto use = operation_frame(search_request{});
  use.lease = id;
  BOOST_TEST(send(use)->ok());
  BOOST_TEST(script->seen_leases.at(0) == id);
  const auto checked = send(of(request_kind::check, id));
  BOOST_TEST((decode_probe_report(checked->value->body).value->took == milliseconds{3}));
  BOOST_TEST(decode_connection_snapshot(send(of(request_kind::inspect, id))->value->body).value->encryption ==
             "TLSv1.3");
  BOOST_TEST(send(of(request_kind::release, id))->value->flag);
  BOOST_TEST((script->released == std::vector<lease_id>{id}));
  use.number = 0;
  BOOST_TEST((send(use)->code() == errc::invalid_lease));
  script->refuses_leases = true;
  BOOST_TEST((send(of(request_kind::acquire))->code() == errc::pool_exhausted));
}

BOOST_FIXTURE_TEST_CASE(the_name_of_a_holder_is_kept_as_long_as_people_read_it, gateway_rig) {
  auto wish = of(request_kind::acquire);
  wish.name = std::string(1 << 20, 'h');
  BOOST_TEST(send(wish)->ok());
  BOOST_TEST(script->wishes.at(0).holder.size() < 300U);
  BOOST_TEST(script->wishes.at(0).holder.starts_with("hhhh"));
}

BOOST_FIXTURE_TEST_CASE(who_has_as_many_leases_as_one_may_waits_until_one_returns, two_leases_rig) {
  auto wish = of(request_kind::acquire);
  wish.flag = true;
  const auto first = take_lease();
  const gateway_peer second_link{3, client.name, client.permission}, other{2, "other", client.permission};
  auto wish_of = [&](const gateway_peer& peer, std::uint64_t number, milliseconds left = seconds{5}) {
    auto f = wish;
    f.number = number;
    f.left = left;
    return send_bytes(encode(f), peer);
  };
  BOOST_TEST(wish_of(second_link, 1)->ok());
  BOOST_TEST(script->wishes.size() == 2U);
  // Now others of that name wait, or are told when they do not.
  const auto late = wish_of(second_link, 2, milliseconds{300}), waits = wish_of(second_link, 3),
             cancelled = wish_of(second_link, 4), last = send(wish);
  auto at_once = of(request_kind::acquire);
  const auto refused = send(at_once);
  BOOST_TEST((refused->code() == errc::queue_full));
  BOOST_TEST(refused->error->message.find("pool.max_connections") != std::string::npos, refused->error->message);
  BOOST_TEST(wish_of(other, 1)->ok());
  BOOST_TEST(script->wishes.size() == 3U);
  auto away = of(request_kind::cancel);
  away.target = 4;
  send_bytes(encode(away), second_link);
  BOOST_TEST((cancelled->code() == errc::cancelled));
  advance(milliseconds{330});
  BOOST_TEST((late->code() == errc::pool_timeout));
  BOOST_TEST((!waits->done() && !last->done()));
  BOOST_TEST(send(of(request_kind::release, first))->ok());
  BOOST_TEST(waits->ok());
  BOOST_TEST(!last->done());
  // What a pool refuses is no lease, and one that ends with its link neither.
  tell(gateway, removed_atom_v, second_link.link);
  BOOST_TEST(last->ok());
  script->refuses_leases = true;
  for (int i = 0; i < 3; ++i) BOOST_TEST((send(wish)->code() == errc::pool_exhausted));
}

BOOST_FIXTURE_TEST_CASE(leases_return_when_the_link_ends_or_nobody_claims_them_or_their_holder_is_silent, gateway_rig) {
  const auto unclaimed = take_lease(false);
  advance(seconds{5});
  BOOST_TEST((script->released == std::vector<lease_id>{unclaimed}));
  const auto silent = take_lease();
  advance(seconds{14});
  BOOST_TEST(send(of(request_kind::ping))->ok());
  advance(seconds{14});
  BOOST_TEST(script->released.size() == 1U);
  advance(seconds{1});
  BOOST_TEST((script->released == std::vector<lease_id>{unclaimed, silent}));
  const auto lost = take_lease();
  tell(gateway, removed_atom_v, std::uint64_t{2});
  BOOST_TEST(script->released.size() == 2U);
  tell(gateway, removed_atom_v, client.link);
  BOOST_TEST(script->released.back() == lost);
}

BOOST_FIXTURE_TEST_CASE(with_a_link_its_requests_are_given_up, gateway_rig) {
  script->hold = true;
  const auto got = send(operation_frame(search_request{}));
  const auto id = take_lease();
  auto on_lease = operation_frame(search_request{});
  on_lease.lease = id;
  const auto leased = send(on_lease);
  tell(gateway, removed_atom_v, client.link);
  BOOST_TEST((got->code() == errc::cancelled));
  BOOST_TEST((leased->code() == errc::cancelled));
  BOOST_TEST(script->cancelled.size() == 2U);
  BOOST_TEST(script->leases_open() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_stream_is_pulled_part_by_part_and_the_connection_waits_for_its_reader, gateway_rig) {
  const std::size_t all = 20'000;
  script->entries_of_stream = all;
  const auto id = take_lease();
  auto part = send(stream_frame(id));
  std::size_t read = 0, parts = 0;
  std::size_t sent_while_nobody_reads = 0;
  for (;;) {
    BOOST_TEST_REQUIRE(part->ok());
    read += entries_of(part->value->messages);
    ++parts;
    BOOST_TEST(part->value->messages.size() <= 128U * 1024);
    if (parts == 3) {
      sent_while_nobody_reads = script->sent_entries;
      advance(seconds{10});
      BOOST_TEST(script->sent_entries == sent_while_nobody_reads);
      BOOST_TEST(script->sent_entries < all / 2);
    }
    if (!part->value->flag) break;
    part = send(of(request_kind::next_part, id));
  }
  BOOST_TEST(read == all);
  BOOST_TEST(parts > 10U);
  BOOST_TEST(part->value->server == "ldap1:389");
  BOOST_TEST(script->most_unread < 300U * 1024);
  BOOST_TEST((send(of(request_kind::next_part, id))->code() == errc::invalid_request));
  // The lease is as good as before.
  BOOST_TEST(send(stream_frame(id))->ok());
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_fails_in_the_middle_says_so_behind_what_came, gateway_rig) {
  script->entries_of_stream = 2000;
  script->break_stream = make_failure(errc::connection_unhealthy, stage::operation, "it broke", "ldap1:389");
  const auto id = take_lease();
  auto part = send(stream_frame(id));
  std::size_t read = 0;
  while (part->ok()) {
    BOOST_TEST_REQUIRE(part->value->flag);
    read += entries_of(part->value->messages);
    part = send(of(request_kind::next_part, id));
  }
  BOOST_TEST(read == 1000U);
  BOOST_TEST((part->code() == errc::connection_unhealthy));
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_is_cancelled_or_returned_with_its_lease_ends_on_the_connection, gateway_rig) {
  script->entries_of_stream = 100'000;
  const auto id = take_lease();
  BOOST_TEST(send(stream_frame(id))->ok());
  BOOST_TEST((send(stream_frame(id))->code() == errc::invalid_request));
  BOOST_TEST(send(of(request_kind::cancel, id))->ok());
  BOOST_TEST(script->cancelled.size() == 1U);
  BOOST_TEST(send(stream_frame(id))->ok());
  BOOST_TEST(send(of(request_kind::release, id))->ok());
  BOOST_TEST(script->cancelled.size() == 2U);
  const auto other = take_lease();
  BOOST_TEST(send(stream_frame(other))->ok());
  tell(gateway, removed_atom_v, client.link);
  BOOST_TEST(script->cancelled.size() == 3U);
  BOOST_TEST(script->leases_open() == 0U);
  const auto third = take_lease();
  auto no_search = stream_frame(third);
  no_search.protocol_op = encode_operation(request{compare_request{"cn=x", "a", "b"}, {}}).op.protocol_op;
  BOOST_TEST((send(no_search)->code() == errc::invalid_request));
}

BOOST_FIXTURE_TEST_CASE(operators_see_and_order_what_they_would_here, gateway_rig) {
  server_snapshot one;
  one.id = 2;
  one.host = "ldap1";
  one.port = 389;
  one.priority = -1;
  one.state = server_state::down;
  one.breaker = breaker_state::open;
  one.last_error = "refused";
  one.last_error_at = wall_time{seconds{1'700'000'000}};
  one.retry_after = milliseconds{0};
  one.latency = milliseconds{2};
  one.pool.now = {1, 2, 3, 4, 5, 6};
  one.pool.last_error = "x";
  one.pool.acquisition_time = seconds{1};
  one.warning = "w";
  script->state.servers = {one, {}};
  script->state.active_priority = 0;
  script->state.operations.by_error = {0, 7, 0};
  script->state.operations.p99 = milliseconds{9};
  script->state.operations.last_minute = {3, 1};
  script->state.requests_in_flight = 12;
  const auto seen = decode_runtime_snapshot(send(of(request_kind::status))->value->body);
  BOOST_TEST_REQUIRE(seen.value.has_value());
  BOOST_TEST(encode(*seen.value) == encode(script->state));
  const auto& first = seen.value->servers.at(0);
  BOOST_TEST((first.host == "ldap1" && first.priority == -1 && first.state == server_state::down));
  BOOST_TEST((first.retry_after == milliseconds{0} && first.last_error_at == one.last_error_at));
  BOOST_TEST((first.pool.now.connecting == 6 && first.pool.acquisition_time == seconds{1}));
  BOOST_TEST((seen.value->active_priority == 0 && seen.value->operations.by_error.at(1) == 7));

  probe_report bad;
  bad.server = 2;
  bad.steps = {{stage::resolve, milliseconds{1}, true}, {stage::secure, milliseconds{2}, false}};
  bad.error = make_failure(errc::ssl_error, stage::secure, "no");
  script->probes = {bad};
  const auto found = decode_probe_reports(send(of(request_kind::health))->value->body);
  BOOST_TEST_REQUIRE(found.value.has_value());
  BOOST_TEST_REQUIRE(found.value->size() == 1U);
  BOOST_TEST((found.value->at(0).steps.at(1).what == stage::secure && !found.value->at(0).steps.at(1).ok));
  BOOST_TEST((found.value->at(0).error->code == errc::ssl_error));

  auto suspend = of(request_kind::suspend);
  suspend.target = 2;
  suspend.span = seconds{90};
  BOOST_TEST(send(suspend)->value->flag);
  BOOST_TEST((script->suspended.at(0) == std::pair<server_id, std::uint32_t>{2, 90}));
  auto resume = of(request_kind::resume);
  resume.target = 3;
  BOOST_TEST(!send(resume)->value->flag);
  BOOST_TEST(send(of(request_kind::reload))->ok());
  BOOST_TEST(reloads == 1);
  // Nobody said how.
  BOOST_TEST((send(of(request_kind::drain))->code() == errc::invalid_request));
}

BOOST_FIXTURE_TEST_CASE(requests_are_answered_when_the_gateway_ends, gateway_rig) {
  script->hold = true;
  const auto got = send(operation_frame(search_request{}));
  kill(gateway);
  BOOST_TEST((got->code() == errc::stopped));
}

// ---- the router ends and is replaced ----

BOOST_FIXTURE_TEST_CASE(requests_and_leases_go_to_the_successor_of_a_router_that_ended, replaced_router_rig) {
  BOOST_TEST(send(operation_frame(search_request{}))->ok());
  BOOST_TEST(script->seen.size() == 1U);
  kill(node.actor());
  BOOST_TEST(send(operation_frame(search_request{}))->ok());
  BOOST_TEST(of_successor->seen.size() == 1U);
  take_lease();
  BOOST_TEST(of_successor->wishes.size() == 1U);
  // So do cancels.
  of_successor->hold = true;
  auto waits = operation_frame(search_request{});
  waits.number = 77;
  const auto got = send(waits);
  auto cancel = of(request_kind::cancel);
  cancel.target = 77;
  send(cancel);
  BOOST_TEST((got->code() == errc::cancelled));
}

BOOST_FIXTURE_TEST_CASE(what_an_ending_router_did_not_look_at_is_asked_again_and_once, replaced_router_rig) {
  // It ends with the request in its mailbox, which is how the gateway hears of it.
  caf::actor_cast<caf::strong_actor_ptr>(node.actor())
      ->get()
      ->eq_impl(caf::make_message_id(), nullptr, nullptr,
                caf::exit_msg{node.actor().address(), caf::exit_reason::kill});
  const auto got = send(operation_frame(search_request{}));
  advance(seconds{1});
  BOOST_TEST(got->ok());
  BOOST_TEST(script->seen.empty());
  BOOST_TEST(of_successor->seen.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_router_without_a_successor_is_an_error_soon, replaced_router_rig) {
  kill(node.actor());
  kill(successor.actor());
  const auto late = send(operation_frame(search_request{}, milliseconds{15}));
  BOOST_TEST((late->code() == errc::stopped));
  const auto got = send(operation_frame(search_request{}, seconds{60}));
  BOOST_TEST(!got->done());
  advance(seconds{1});
  BOOST_TEST((got->code() == errc::stopped));
}

// ---- compressed answers ----

BOOST_FIXTURE_TEST_CASE(larger_answers_are_compressed_for_who_reads_that, compressing_rig) {
  const auto plain = send(operation_frame(search_request{}));
  BOOST_TEST((plain->value->kind == answer_kind::messages));
  BOOST_TEST(hello(true).compression);
  const auto got = send(operation_frame(search_request{}));
  BOOST_TEST_REQUIRE((got->value->kind == answer_kind::compressed));
  BOOST_TEST(got->value->body.size() < plain->value->messages.size() / 3);
  const auto whole = decompress_answer(*got->value, 1 << 20);
  BOOST_TEST_REQUIRE(whole.value.has_value());
  BOOST_TEST((whole.value->messages == plain->value->messages && whole.value->server == plain->value->server));
  // What is small is not.
  BOOST_TEST((send(of(request_kind::status))->value->kind == answer_kind::text));
  script->answers[operation::search].entries.resize(2);
  BOOST_TEST((send(operation_frame(search_request{}))->value->kind == answer_kind::messages));
}

BOOST_FIXTURE_TEST_CASE(parts_of_streams_are_compressed_too, compressing_rig) {
  hello(true);
  script->entries_of_stream = 2000;
  const auto lease = take_lease();
  auto part = *send(stream_frame(lease))->value;
  std::size_t entries = 0, compressed = 0;
  for (;;) {
    // The last one may be small.
    if (part.kind == answer_kind::compressed) {
      ++compressed;
      part = decompress_answer(part, 1 << 20).value.value();
    }
    BOOST_TEST_REQUIRE((part.kind == answer_kind::part));
    entries += entries_of(part.messages);
    if (!part.flag) break;
    part = *send(of(request_kind::next_part, lease))->value;
  }
  BOOST_TEST(entries == 2000U);
  BOOST_TEST(compressed > 1U);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_compressed_that_was_not_agreed, compressing_rig) {
  // An older client does not say that it reads that, and a link that ended does not count for another.
  BOOST_TEST(!hello(false).compression);
  BOOST_TEST((send(operation_frame(search_request{}))->value->kind == answer_kind::messages));
  BOOST_TEST(hello(true).compression);
  tell(gateway, removed_atom_v, client.link);
  BOOST_TEST((send(operation_frame(search_request{}))->value->kind == answer_kind::messages));
}

BOOST_FIXTURE_TEST_CASE(a_gateway_that_does_not_compress_says_so, gateway_rig) {
  auto frame = of(request_kind::hello);
  frame.flag = true;
  BOOST_TEST(!decode_terms(send(frame)->value->body).value.value().compression);
}

// ---- links that are to end ----

BOOST_FIXTURE_TEST_CASE(on_a_link_whose_listener_is_gone_what_is_held_is_finished, gateway_rig) {
  const auto lease = take_lease();
  client.standing = link_standing::leaves;
  BOOST_TEST((send(operation_frame(search_request{}))->code() == errc::draining));
  auto held = operation_frame(search_request{});
  held.lease = lease;
  BOOST_TEST(send(held)->ok());
  BOOST_TEST(send(of(request_kind::release, lease))->ok());
}

BOOST_FIXTURE_TEST_CASE(on_a_link_that_is_not_trusted_any_more_nothing_is_taken, gateway_rig) {
  script->hold = true;
  const auto under_way = send(operation_frame(search_request{}));
  script->hold = false;
  const auto lease = take_lease();
  client.standing = link_standing::distrusted;
  auto held = operation_frame(search_request{});
  held.lease = lease;
  BOOST_TEST((send(held)->code() == errc::draining));
  BOOST_TEST((send(operation_frame(search_request{}))->code() == errc::draining));
  BOOST_TEST(script->seen.size() == 1U);
  node.answer_held();
  run();
  BOOST_TEST(under_way->ok());
}

// ---- clients that do not take their answers ----

BOOST_FIXTURE_TEST_CASE(answers_wait_for_a_client_that_takes_none_and_are_asked_for_again_for_want_of_room,
                        slow_client_rig) {
  script->hold = true;
  const auto all = search(8);
  script->hold = false;
  node.answer_held();
  run();
  // Three are on their way. Six had room when they were read; two were asked for once more, when some had gone.
  for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(all[i]->ok());
  BOOST_TEST(done(all) == 3U);
  BOOST_TEST(script->seen.size() == 10U);
  // Who changes something hears of it, and what is short passes by.
  BOOST_TEST(send(operation_frame(delete_request{"cn=a"}))->ok());
  BOOST_TEST(send(of(request_kind::ping))->ok());
  // Another client notices nothing.
  auto other = operation_frame(search_request{});
  other.number = 1;
  BOOST_TEST(send_bytes(encode(other), {2, "other", node_permission::read})->ok());
  // As it takes them the others follow, in order, when the node is told.
  BOOST_TEST(peers->wishes > 0);
  advance(seconds{1});
  BOOST_TEST(done(all) == 3U);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    take(i);
    BOOST_TEST(done(all) == 3U + i);
    BOOST_TEST(all[2 + i]->ok());
  }
  take(100);
  take(200);
  for (const auto& each : all) BOOST_TEST(each->ok());
}

BOOST_FIXTURE_TEST_CASE(all_links_of_a_name_share_room_for_answers_and_others_have_their_own, one_name_rig) {
  const auto all = search(12);
  BOOST_TEST(done(all) == 3U);
  auto asked = operation_frame(search_request{}, seconds{60});
  asked.number = 1;
  const auto by_second = send_bytes(encode(asked), second_link);
  BOOST_TEST(!by_second->done());
  BOOST_TEST(send_bytes(encode(asked), {2, "other", node_permission::read})->ok());
  for (std::uint64_t i = 1; i <= 4; ++i) take(i * 100);
  BOOST_TEST(done(all) == 12U);
  advance(milliseconds{100});
  BOOST_TEST(by_second->ok());
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_left_before_the_node_asked_to_be_told_is_noticed, slow_client_rig) {
  // As if the kernel had taken all of them between the two looks.
  peers->when_asked_to_tell = [this] { peers->taken[client.link] = 100; };
  const auto all = search(5);
  BOOST_TEST(done(all) == 5U);
}

BOOST_FIXTURE_TEST_CASE(behind_those_who_wait_for_room_nothing_is_searched, slow_client_rig) {
  const auto all = search(12);
  BOOST_TEST(done(all) == 3U);
  BOOST_TEST(script->seen.size() == 10U);
  take(1);
  BOOST_TEST(script->seen.size() == 10U, "there is no room for the longest answer yet");
  take(2);
  BOOST_TEST(script->seen.size() == 11U);
  // What waits for room is cancelled at once, and its number may be another's.
  auto away = of(request_kind::cancel);
  away.target = numbers;
  BOOST_TEST(send(away)->ok());
  BOOST_TEST((all[11]->code() == errc::cancelled));
  auto again = operation_frame(search_request{});
  again.number = away.target;
  const auto last = send(again);
  for (std::uint64_t i = 1; i <= 12; ++i) take(i * 1000);
  for (std::size_t i = 0; i < 11; ++i) BOOST_TEST(all[i]->ok());
  BOOST_TEST(last->ok());
  BOOST_TEST(script->seen.size() == 13U);
}

BOOST_FIXTURE_TEST_CASE(what_waits_for_its_client_ends_at_its_deadline_or_with_the_link, slow_client_rig) {
  search(3);
  const auto late = search(8, milliseconds{300});
  BOOST_TEST(done(late) == 0U);
  advance(milliseconds{330});
  for (const auto& each : late) {
    BOOST_TEST((each->code() == errc::operation_timeout));
    BOOST_TEST(each->error->message.find("does not take the answers") != std::string::npos, each->error->message);
  }
  // Their room is another's.
  const auto before = script->seen.size();
  const auto next = search(8);
  BOOST_TEST(script->seen.size() == before + 7);
  tell(gateway, removed_atom_v, client.link);
  for (const auto& each : next) BOOST_TEST((each->code() == errc::cancelled));
  const auto again = search(3);
  for (const auto& each : again) BOOST_TEST(each->ok());
}

BOOST_FIXTURE_TEST_CASE(a_search_on_a_lease_waits_for_room_as_long_as_the_lease_is_held, slow_client_rig) {
  const auto lease = take_lease();
  const auto others = search(9 + 1);
  auto on_it = operation_frame(search_request{});
  on_it.lease = lease;
  const auto waits = send(on_it);
  BOOST_TEST(!waits->done());
  BOOST_TEST(send(of(request_kind::release, lease))->ok());
  for (std::uint64_t i = 1; i <= 12; ++i) take(i * 1000);
  BOOST_TEST((waits->code() == errc::invalid_lease));
  BOOST_TEST(done(others) == others.size());
}

// ---- the same without what keeps it ----

BOOST_FIXTURE_TEST_CASE(without_a_bound_of_bytes_a_client_that_takes_nothing_is_given_everything, unbounded_rig) {
  for (const auto& each : search(100)) BOOST_TEST_REQUIRE(each->ok());  // 10 MB are CAF's to keep
}

BOOST_FIXTURE_TEST_CASE(without_a_bound_of_what_is_read_a_client_that_takes_nothing_has_everything_kept,
                        unmetered_rig) {
  BOOST_TEST(done(search(100)) == 3U);
  BOOST_TEST(script->seen.size() == 100U);
}

BOOST_FIXTURE_TEST_CASE(without_credit_all_that_a_peer_asks_is_under_way_at_once, without_credit_rig) {
  script->hold = true;
  for (int i = 0; i < 1000; ++i) send(operation_frame(search_request{}, seconds{60}));
  BOOST_TEST(script->seen.size() == 1000U);
}

BOOST_FIXTURE_TEST_CASE(without_silence_and_the_end_of_its_link_a_dead_clients_lease_stays, without_silence_rig) {
  take_lease();
  advance(std::chrono::hours{24});
  BOOST_TEST(script->released.empty());
  BOOST_TEST(script->leases_open() == 1U);
}
