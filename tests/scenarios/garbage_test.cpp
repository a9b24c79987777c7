// Scenario 30: what is no LDAP ends the connection it came on, is counted, and costs nobody else anything.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

#include "support/ber.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

using maker = std::function<std::string(const directory_request&)>;

std::string text(const char* bytes, std::size_t size) { return {bytes, size}; }

/// An LDAPMessage of that id and operation.
std::string message(std::int64_t id, std::uint8_t tag, std::string_view content) {
  return ber(ber_tag::sequence, ber_number(ber_tag::integer, id) + ber(tag, content));
}

const std::string success_result =
    ber_number(ber_tag::enumerated, 0) + ber(ber_tag::octets, "") + ber(ber_tag::octets, "");

constexpr std::uint8_t search_request_tag = 0x63, entry_tag = 0x64, done_tag = 0x65, compare_tag = 0x6f,
                       bind_tag = 0x61, reference_tag = 0x73, extended_tag = 0x78, intermediate_tag = 0x79;

struct garbage {
  const char* name;
  maker bytes;
};

std::string entry_content(std::string_view dn, std::string_view attributes) {
  return ber(ber_tag::octets, dn) + std::string{attributes};
}

/// What ends a connection. `r` is the search that it answers.
const std::vector<garbage>& kinds_of_garbage() {
  using request = const directory_request&;
  static const std::vector<garbage> all{
      {"another protocol", [](request) { return "HTTP/1.0 400 Bad Request\r\n\r\n"; }},
      {"a TLS alert", [](request) { return text("\x15\x03\x03\x00\x02\x02\x28", 7); }},
      {"zeros", [](request) { return std::string(64, '\0'); }},
      {"all ones", [](request) { return std::string(64, '\xff'); }},
      {"a set in place of the sequence",
       [](request r) { return ber(ber_tag::set, ber_number(ber_tag::integer, r.id) + ber(done_tag, success_result)); }},
      {"an indefinite length", [](request) { return text("\x30\x80\x02\x01\x01", 5); }},
      {"a length of five octets", [](request) { return text("\x30\x85\x01\x00\x00\x00\x00", 7); }},
      {"a length of two gigabytes", [](request) { return text("\x30\x84\x7f\xff\xff\xff", 6); }},
      {"a length of four gigabytes", [](request) { return text("\x30\x84\xff\xff\xff\xff", 6); }},
      {"one byte more than max_pdu_bytes", [](request) { return text("\x30\x83\x10\x00\x00", 5); }},
      {"an empty message", [](request) { return ber(ber_tag::sequence, ""); }},
      {"no message id", [](request) { return ber(ber_tag::sequence, ber(done_tag, success_result)); }},
      {"an empty message id",
       [](request) { return ber(ber_tag::sequence, ber(ber_tag::integer, "") + ber(done_tag, success_result)); }},
      {"a negative message id", [](request) { return message(-1, done_tag, success_result); }},
      {"a message id of five octets",
       [](request) {
         return ber(ber_tag::sequence, ber(ber_tag::integer, text("\0\0\0\0\1", 5)) + ber(done_tag, success_result));
       }},
      {"a message id in more octets than it needs (X.690, 8.3.2)",
       [](request) {
         return ber(ber_tag::sequence, ber(ber_tag::integer, text("\0\0\1", 3)) + ber(done_tag, success_result));
       }},
      {"a length in the reserved form (X.690, 8.1.3.5)", [](request) { return text("\x30\xff\x02\x01\x01", 5); }},
      {"a result with message id 0", [](request) { return message(0, done_tag, success_result); }},
      {"an entry with message id 0",
       [](request) { return message(0, entry_tag, entry_content("cn=x", ber(ber_tag::sequence, ""))); }},
      {"a notification without a name", [](request) { return message(0, extended_tag, success_result); }},
      {"a notification that cannot be decoded", [](request) { return message(0, extended_tag, "garbage"); }},
      {"an intermediate response that cannot be decoded",
       [](request r) { return message(r.id, intermediate_tag, text("\x80\x7f", 2)); }},
      {"a reference to nowhere", [](request r) { return message(r.id, reference_tag, ""); }},
      {"two operations in one message",
       [](request r) {
         const auto one = ber(entry_tag, entry_content("cn=x", ber(ber_tag::sequence, "")));
         return ber(ber_tag::sequence, ber_number(ber_tag::integer, r.id) + one + one);
       }},
      {"no operation", [](request r) { return ber(ber_tag::sequence, ber_number(ber_tag::integer, r.id)); }},
      {"an operation of another class",
       [](request r) {
         return ber(ber_tag::sequence, ber_number(ber_tag::integer, r.id) + ber(ber_tag::octets, "x"));
       }},
      {"an unknown message id", [](request) { return message(0x3fffffff, done_tag, success_result); }},
      {"an entry for an unknown message id",
       [](request) { return message(0x3fffffff, entry_tag, entry_content("cn=x", ber(ber_tag::sequence, ""))); }},
      {"a request", [](request r) { return message(r.id, search_request_tag, success_result); }},
      {"the answer to another kind of request", [](request r) { return message(r.id, compare_tag, success_result); }},
      {"the answer to a bind", [](request r) { return message(r.id, bind_tag, success_result); }},
      {"an operation that does not exist", [](request r) { return message(r.id, 0x7e, success_result); }},
      {"a result without anything in it", [](request r) { return message(r.id, done_tag, ""); }},
      {"a result without a code",
       [](request r) { return message(r.id, done_tag, ber(ber_tag::octets, "") + ber(ber_tag::octets, "")); }},
      {"a result cut short", [](request r) { return message(r.id, done_tag, ber_number(ber_tag::enumerated, 0)); }},
      {"a result whose diagnostic reaches beyond it",
       [](request r) {
         return message(r.id, done_tag,
                        ber_number(ber_tag::enumerated, 0) + ber(ber_tag::octets, "") + text("\x04\x7f", 2));
       }},
      {"an entry without attributes list",
       [](request r) { return message(r.id, entry_tag, ber(ber_tag::octets, "cn=x")); }},
      {"an entry whose name reaches beyond it",
       [](request r) { return message(r.id, entry_tag, text("\x04\x7f", 2)); }},
      {"an entry whose attribute reaches beyond it",
       [](request r) {
         return message(r.id, entry_tag, entry_content("cn=x", ber(ber_tag::sequence, text("\x30\x7f\x04\x01x", 5))));
       }},
      {"an entry whose values are no set",
       [](request r) {
         return message(r.id, entry_tag,
                        entry_content("cn=x", ber(ber_tag::sequence,
                                                  ber(ber_tag::sequence,
                                                      ber(ber_tag::octets, "cn") + ber_number(ber_tag::integer, 1)))));
       }},
      {"a reference with a value that reaches beyond it",
       [](request r) { return message(r.id, reference_tag, text("\x04\x7fx", 3)); }},
      {"an entry, then garbage",
       [](request r) {
         return message(r.id, entry_tag, entry_content("cn=x", ber(ber_tag::sequence, ""))) + "garbage";
       }},
  };
  return all;
}

/// What is unusual and harmless: ignored, and the request is answered.
const std::vector<garbage>& harmless_kinds() {
  using request = const directory_request&;
  static const std::vector<garbage> all{
      {"an unknown notification",
       [](request) { return message(0, extended_tag, success_result + ber(0x8a, "1.2.3.4")); }},
      {"an intermediate response (RFC 4511, 4.13)",
       [](request r) { return message(r.id, intermediate_tag, ber(0x80, "1.2.3.4")); }},
      {"lengths with more octets than they need (X.690, 8.1.3.5)",
       [](request r) {
         const auto id = ber_number(ber_tag::integer, r.id).substr(2);
         const auto rest = text("\x79\x81\x07\x80\x05\x31\x2e\x32\x2e\x33", 10);
         const auto size = static_cast<char>(6 + id.size() + rest.size());
         return text("\x30\x86\0\0\0\0\0", 7) + size + text("\x02\x84\0\0\0", 5) + static_cast<char>(id.size()) + id +
                rest;
       }},
      {"components of a later version (RFC 4511, 4)",
       [](request r) {
         const auto later = ber(0xa9, ber(ber_tag::octets, "later"));
         return ber(ber_tag::sequence,
                    ber_number(ber_tag::integer, r.id) + ber(intermediate_tag, ber(0x80, "1.2.3.4") + later) + later);
       }},
  };
  return all;
}

bool is_victim(const directory_request& r) { return r.filter == "(uid=victim)"; }

/// The next search for the victim is answered with these bytes, then as usual if `go_on`.
void script_answer(stub_directory& server, const maker& bytes, bool go_on) {
  server.when(
      is_victim,
      [&server, bytes, go_on](const directory_request& r) {
        std::string all = bytes(r);
        for (const auto& each : encode_answer(operation::search, r.id, server.usual(r).what)) all += go_on ? each : "";
        return reply{server.usual(r).what, {.raw = all}};
      },
      1);
}

settings tolerant(const stub_directory& a) {
  auto all = quick_settings({server_at(a.port())});
  // Failure after failure of one connection is the point here, not what the breaker makes of it.
  all.breaker.circuit_breaker_threshold = 100'000;
  all.breaker.failure_rate = 100;
  all.limits.max_pdu_bytes = 0x100000;
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_30_garbage_ends_its_connection_and_no_other) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(tolerant(a));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto held = manager.get_connection();
  background_load reads(manager, 4);
  std::uint64_t count = 0;
  for (const auto& kind : kinds_of_garbage()) {
    BOOST_TEST_CONTEXT(kind.name) {
      script_answer(a, kind.bytes, false);
      const auto answer = manager.try_search(search_for("(uid=victim)"), {20s});
      BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
      BOOST_TEST_REQUIRE(answer->entries.size() == 1u);
      BOOST_TEST(answer->entries[0].dn == "uid=victim," + std::string{people_dn});
      BOOST_TEST(manager.snapshot().protocol_errors == ++count);
      // The other connection is the same as ever.
      const auto other = held.try_search(search_for("(uid=user1)"), {20s});
      BOOST_TEST(static_cast<bool>(other), why(other));
    }
  }
  for (const auto& kind : harmless_kinds()) {
    BOOST_TEST_CONTEXT(kind.name) {
      script_answer(a, kind.bytes, true);
      const auto answer = manager.try_search(search_for("(uid=victim)"), {20s});
      BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
      BOOST_TEST(answer->entries.size() == 1u);
      BOOST_TEST(manager.snapshot().protocol_errors == count);
    }
  }
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  BOOST_TEST(server_in(manager.snapshot(), a.port()).pool.closed == count);
  held.release();
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_30_garbage_in_place_of_a_bind_or_a_write_is_a_typed_error) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.on(operation::modify, reply{{}, {.raw = "garbage"}}, 1);
  const auto write = manager.try_modify(replace_description(user_dn(1), "x"), {10s});
  BOOST_TEST(write.code() == errc::outcome_unknown, why(write));
  BOOST_TEST(a.count(operation::modify) + b.count(operation::modify) == 1u);
  a.on(operation::bind, reply{{}, {.raw = "garbage"}});
  a.close_all();
  const auto read = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST_REQUIRE(static_cast<bool>(read), why(read));
  BOOST_TEST(read->server == name_of(b.port()));
  BOOST_TEST(eventually([&] {
               return server_in(manager.snapshot(), a.port()).last_error.find("broke the protocol") !=
                      std::string::npos;
             }),
             server_in(manager.snapshot(), a.port()).last_error);
  // What was said above may be of the write: the bind's comes when it comes.
  BOOST_TEST(eventually([&] { return manager.snapshot().protocol_errors >= 2u; }));
  a.forget_rules();
  end_scenario(manager, {a, b});
}

namespace {

/// A few random changes to valid bytes.
std::string mutated(std::string bytes, std::mt19937& random) {
  const auto place = [&] { return std::uniform_int_distribution<std::size_t>{0, bytes.size() - 1}(random); };
  for (auto changes = 1 + random() % 4; changes > 0 && bytes.size() > 2; --changes) {
    switch (random() % 5) {
      case 0:
        bytes[place()] = static_cast<char>(random());
        break;
      case 1:
        bytes[place()] ^= static_cast<char>(1u << random() % 8);
        break;
      case 2:
        bytes.erase(place(), 1 + random() % 3);
        break;
      case 3:
        bytes.insert(place(), std::string(1 + random() % 3, static_cast<char>(random())));
        break;
      default:
        bytes.resize(place() + 1);
        break;
    }
  }
  return bytes;
}

bool is_typed(errc code) {
  switch (code) {
    case errc::none:
    case errc::connection_failed:
    case errc::ldap_error:
    case errc::outcome_unknown:
    case errc::authentication_failed:
      return true;
    default:
      return false;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_30_mutated_answers_end_in_one_outcome_each) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(tolerant(a));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  constexpr unsigned seed = 30;
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  std::map<errc, int> outcomes;
  for (int round = 0; round < 300; ++round) {
    const std::array<operation, 5> kinds{operation::search, operation::compare, operation::whoami, operation::modify,
                                         operation::bind};
    const auto kind = kinds[random() % kinds.size()];
    const auto user = user_dn(round % 10);
    const auto fits = [kind, user](const directory_request& r) {
      if (r.kind != kind) return false;
      return kind == operation::search ? r.filter == "(uid=victim)" : kind != operation::bind || r.dn == user;
    };
    const auto round_seed = random();
    const auto id = a.when(
        fits,
        [&a, round_seed](const directory_request& r) {
          std::mt19937 own{round_seed};
          std::string bytes;
          for (const auto& each : encode_answer(r.kind, r.id, a.usual(r).what)) bytes += each;
          // The end of the stream ends what the changed lengths keep waiting for.
          return reply{a.usual(r).what, {.raw = mutated(bytes, own), .then = ending::close}};
        },
        1);
    const auto answer = [&]() -> outcome {
      const call_options options{20s};
      switch (kind) {
        case operation::search:
          return manager.try_search(search_for("(uid=victim)"), options);
        case operation::compare:
          return manager.try_compare({user, "sn", "x"}, options);
        case operation::whoami:
          return manager.try_whoami(options);
        case operation::modify:
          return manager.try_modify(replace_description(user, "x"), options);
        default:
          return manager.try_bind({user, secret{"x"}}, options);
      }
    }();
    a.forget(id);
    ++outcomes[answer.code()];
    BOOST_TEST(is_typed(answer.code()), "round " << round << ": " << why(answer));
    const auto next = manager.try_search(search_for("(uid=user1)"), {20s});
    BOOST_TEST(static_cast<bool>(next), "round " << round << ": " << why(next));
  }
  for (const auto& [code, times] : outcomes) BOOST_TEST_MESSAGE(to_string(code) << ": " << times);
  BOOST_TEST(outcomes[errc::none] > 0);
  BOOST_TEST(manager.snapshot().protocol_errors > 50u);
  end_scenario(manager, {a});
}
