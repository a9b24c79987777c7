// Which silence is worth a question, and what is asked.
#include "understudy/actors/ports/unanswered_requests.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;

namespace {

search_request search_of(std::string base, search_scope scope = search_scope::subtree,
                         std::string filter = "(objectClass=*)") {
  search_request asked;
  asked.base = std::move(base);
  asked.scope = scope;
  asked.filter = std::move(filter);
  return asked;
}

constexpr int most = 3;
constexpr seconds apart{1};

struct one_server {
  unanswered_requests of;
  const time_point start{std::chrono::hours{1}};
  const any_operation search = search_of("ou=people,dc=x", search_scope::subtree, "(uid=a)");

  time_point at(double second) const {
    return start + std::chrono::duration_cast<duration>(std::chrono::duration<double>(second));
  }
  bool note(const any_operation& op, double since, double now) { return of.note(op, at(since), at(now), most, apart); }
  search_request asked() const {
    const auto question = of.question();
    BOOST_REQUIRE(question);
    return std::get<search_request>(question->op);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_entry_that_a_search_is_about_is_read, one_server) {
  BOOST_TEST(!of.question());
  BOOST_TEST(note(search, 0, 1));
  BOOST_TEST(asked().base == "ou=people,dc=x");
  BOOST_TEST((asked().scope == search_scope::base));
  BOOST_TEST(asked().filter == "(objectClass=*)");
  BOOST_TEST((asked().attributes == std::vector<std::string>{"1.1"}));
}

BOOST_FIXTURE_TEST_CASE(so_is_the_entry_of_a_write_or_compare, one_server) {
  BOOST_TEST(note(modify_request{"cn=b,dc=x", {}}, 0, 1));
  BOOST_TEST(asked().base == "cn=b,dc=x");
  BOOST_TEST(note(compare_request{"cn=c,dc=x", "cn", "c"}, 1, 2));
  BOOST_TEST(asked().base == "cn=c,dc=x");
  // However often: a write is never repeated.
  for (int i = 0; i < most; ++i) note(modify_request{"cn=b,dc=x", {}}, 2, 3 + i);
  BOOST_TEST(asked().base == "cn=b,dc=x");
  BOOST_TEST((asked().scope == search_scope::base));
}

/// A read of the root's entry would be one of the root DSE, which says nothing about data.
BOOST_FIXTURE_TEST_CASE(a_search_of_everything_is_asked_for_one_entry, one_server) {
  BOOST_TEST(note(search_of("", search_scope::subtree, "(uid=a)"), 0, 1));
  BOOST_TEST(asked().base.empty());
  BOOST_TEST((asked().scope == search_scope::subtree));
  BOOST_TEST(asked().size_limit == 1);
  BOOST_TEST(asked().filter == "(objectClass=*)");
}

BOOST_FIXTURE_TEST_CASE(what_a_server_answers_without_its_data_raises_no_question, one_server) {
  BOOST_TEST(!note(search_of("", search_scope::base), 0, 1));
  BOOST_TEST(!note(whoami_request{}, 0, 1));
  BOOST_TEST(!note(bind_request{"uid=a,dc=x", {}}, 0, 1));
  BOOST_TEST(!of.question());
  // … and settles none.
  note(search, 0, 1);
  of.answered(search_of("", search_scope::base), at(2));
  of.answered(whoami_request{}, at(2));
  of.answered(bind_request{"uid=a,dc=x", {}}, at(2));
  BOOST_TEST(static_cast<bool>(of.question()));
}

BOOST_FIXTURE_TEST_CASE(an_answer_since_it_was_sent_is_a_sign_of_life, one_server) {
  of.answered(search, at(0.5));
  BOOST_TEST(!note(search, 0, 1));
  BOOST_TEST(note(search, 0.6, 1.6));
  of.answered(search, at(2));
  BOOST_TEST(!of.question());
}

BOOST_FIXTURE_TEST_CASE(many_that_are_unanswered_in_one_moment_are_one_question, one_server) {
  BOOST_TEST(note(search, 0, 1));
  for (int i = 0; i < 50; ++i) BOOST_TEST(!note(search, 0, 1.5));
  BOOST_TEST(note(search, 1, 2));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_reads_entries_and_answers_no_search_is_asked_for_the_search, one_server) {
  for (int i = 0; i < most; ++i) {
    BOOST_TEST(note(search, i, i + 1));
    if (i + 1 < most) {
      BOOST_TEST((asked().scope == search_scope::base));
      of.question_answered(of.question(), at(i + 1));
      BOOST_TEST(!of.question());
    }
  }
  BOOST_TEST((asked().scope == search_scope::subtree));
  BOOST_TEST(asked().filter == "(uid=a)");
  BOOST_TEST(asked().size_limit == 1);
  of.question_answered(of.question(), at(5));
  BOOST_TEST(!of.question());
  // That was an answer to a search: all is forgotten.
  BOOST_TEST(note(search, 6, 7));
  BOOST_TEST((asked().scope == search_scope::base));
}

BOOST_FIXTURE_TEST_CASE(the_answer_to_an_older_question_settles_nothing, one_server) {
  note(search, 0, 1);
  const auto older = of.question();
  note(search_of("ou=groups,dc=x"), 1, 2);
  of.question_answered(older, at(2));
  BOOST_TEST(asked().base == "ou=groups,dc=x");
}
