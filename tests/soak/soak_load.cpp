// Reads, writes, logins and leases: see soak_load.hpp.
#include "soak/soak_load.hpp"

#include "support/slapd.hpp"

namespace understudy::soak {

using namespace internal;

using namespace std::chrono_literals;

namespace {

constexpr seconds patience_each{20};
constexpr milliseconds rest_after_failure{20};

search_request user_search(std::int64_t number) {
  search_request what;
  what.base = test::people_dn;
  what.filter = "(uid=user" + std::to_string(number % 10) + ")";
  return what;
}

}  // namespace

soak_load::soak_load(std::string name, directory& to, std::size_t in_flight, maker make, errc expected)
    : name_(std::move(name)), load_(operation(to, std::move(make), expected), in_flight, 0, 1'000'000, patience_each) {}

cli::load_operation soak_load::operation(directory& to, maker make, errc expected) {
  return [this, &to, make = std::move(make), expected](std::int64_t number, const call_options& how, completion done) {
    ++tally_.requests;
    auto answered = std::make_shared<std::atomic<bool>>(false);
    to.start(
        make(number),
        [this, answered, expected, done = std::move(done)](outcome answer) {
          if (answered->exchange(true)) {
            ++tally_.doubled;
            return;
          }
          ++tally_.outcomes;
          const bool as_expected = expected != errc::none && answer.code() == expected;
          done(as_expected ? outcome{std::make_shared<result>()} : std::move(answer));
        },
        how);
  };
}

void soak_load::start(duration span) {
  thread_ = std::thread([this, span] { report_ = load_.run(span); });
}

const cli::load_report& soak_load::finish() {
  if (thread_.joinable()) thread_.join();
  return report_;
}

lease_load::lease_load(connection_manager& from, int threads) : from_(from) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
}

void lease_load::finish() {
  over_ = true;
  for (auto& t : threads_)
    if (t.joinable()) t.join();
}

void lease_load::work(int number) {
  for (std::int64_t round = number; !over_; round += 7) {
    try {
      use_one(round);
    } catch (const ldap_exception& e) {
      note(e.reason());
      std::this_thread::sleep_for(rest_after_failure);
    }
  }
}

void lease_load::use_one(std::int64_t round) {
  lease_options options;
  options.timeout = patience_each;
  auto borrowed = from_.get_connection(options);
  ++borrowed_;
  // Whatever its last holder did: it must be the service's again.
  if (borrowed.whoami() != "dn:" + std::string{test::admin_dn}) ++wrong_identity_;
  for (int i = 0; i < 5; ++i) {
    const auto found = borrowed.try_search(user_search(round + i), {patience_each});
    found ? static_cast<void>(++searches_) : note(*found.error());
    if (!found) return;
  }
  const int user = static_cast<int>(round % 10);
  if (round % 3 == 0) borrowed.bind({test::user_dn(user), secret{test::user_password(user)}}, {patience_each});
}

void lease_load::note(const failure& why) { ++errors_[static_cast<std::size_t>(why.code)]; }

std::map<std::string, std::uint64_t> lease_load::errors() const {
  std::map<std::string, std::uint64_t> all;
  for (std::size_t i = 0; i < errors_.size(); ++i)
    if (const auto n = errors_[i].load(); n > 0) all.emplace(to_string(static_cast<errc>(i)), n);
  return all;
}

}  // namespace understudy::soak
