// understudy bench: load on a directory, and how it was answered.
#include "understudy/messages/number.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/load_generator.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

enum class bench_operation { search, authenticate, whoami };

struct bench_options {
  target where;
  bench_operation operation = bench_operation::search;
  duration span = seconds{10};
  std::size_t concurrency = 64;
  std::optional<std::string> base;
  std::string filter = "(uid=user%d)";
  std::int64_t first = 0, last = 9999;
  bool json = false;
};

// Each "%d" in `text` becomes `number`.
std::string numbered(std::string_view text, std::int64_t number) {
  std::string out;
  for (auto at = text.find("%d"); at != std::string_view::npos; at = text.find("%d")) {
    out.append(text.substr(0, at)).append(std::to_string(number));
    text.remove_prefix(at + 2);
  }
  return out.append(text);
}

// "FIRST:LAST".
void set_range(bench_options& options, const std::string& text) {
  const auto colon = std::min(text.find(':'), text.size());
  const auto parse = [&](std::string_view part, std::int64_t& to) {
    to = internal::parse_number<std::int64_t>(part).value_or(-1);
    return to >= 0;
  };
  const std::string_view whole{text};
  if (colon == text.size() || !parse(whole.substr(0, colon), options.first) ||
      !parse(whole.substr(colon + 1), options.last) || options.first > options.last)
    throw CLI::ValidationError("--range", "expected FIRST:LAST, not \"" + text + "\"");
}

search_request search_of(const bench_options& options, const std::string& base, std::int64_t number) {
  search_request what;
  what.base = numbered(base, number);
  what.filter = numbered(options.filter, number);
  return what;
}

load_operation searching(directory& where, const bench_options& options, const std::string& base) {
  return [&where, options, base](std::int64_t number, const call_options& how, completion done) {
    where.start(make_request(search_of(options, base, number)), std::move(done), how);
  };
}

outcome not_one_entry(const std::string& filter, std::size_t found) {
  return outcome{
      make_failure(errc::invalid_request, stage::operation, std::to_string(found) + " entries match " + filter)};
}

// A search for the entry, then a bind as it: one operation.
load_operation authenticating(directory& where, const bench_options& options, const std::string& base,
                              const secret& password) {
  return [&where, options, base, password](std::int64_t number, const call_options& how, const completion& done) {
    auto what = search_of(options, base, number);
    what.attributes = {"1.1"};
    const auto filter = what.filter;
    const auto bind = [&where, how, done, filter, number, password](outcome found) {
      if (!found) return done(std::move(found));
      if (found->entries.size() != 1) return done(not_one_entry(filter, found->entries.size()));
      const bool same_for_all = password.reveal().find("%d") == std::string_view::npos;
      bind_request as{found->entries.front().dn, same_for_all ? password : secret{numbered(password.reveal(), number)}};
      where.start(make_request(std::move(as)), done, how);
    };
    where.start(make_request(std::move(what)), bind, how);
  };
}

load_operation asking_who(directory& where) {
  return [&where](std::int64_t, const call_options& how, completion done) {
    where.start(make_request(whoami_request{}), std::move(done), how);
  };
}

double seconds_of(duration d) { return std::chrono::duration<double>(d).count(); }
double microseconds_of(duration d) { return std::chrono::duration<double, std::micro>(d).count(); }
double per_second(const load_report& r) {
  return r.took > duration{} ? static_cast<double>(r.operations) / seconds_of(r.took) : 0;
}

void print_json(const load_report& r) {
  const nlohmann::json tree{{"operations", r.operations},
                            {"errors", nlohmann::json(r.errors)},
                            {"seconds", seconds_of(r.took)},
                            {"ops_per_second", per_second(r)},
                            {"latency_us",
                             {{"p50", microseconds_of(r.p50)},
                              {"p99", microseconds_of(r.p99)},
                              {"p999", microseconds_of(r.p999)},
                              {"max", microseconds_of(r.max)}}}};
  put(tree.dump() + "\n");
}

void print_text(const load_report& r) {
  std::array<char, 256> line{};
  const auto add = [&line](int size) { put({line.data(), static_cast<std::size_t>(size)}); };
  add(std::snprintf(line.data(), line.size(), "operations  %llu in %.1f s, %.0f a second\n",
                    static_cast<unsigned long long>(r.operations), seconds_of(r.took), per_second(r)));
  add(std::snprintf(line.data(), line.size(), "latency     p50 %.0f µs, p99 %.0f µs, p99.9 %.0f µs, max %.0f µs\n",
                    microseconds_of(r.p50), microseconds_of(r.p99), microseconds_of(r.p999), microseconds_of(r.max)));
  const auto errors =
      joined(r.errors, ", ", [](const auto& each) { return each.first + " " + std::to_string(each.second); });
  put("errors      " + (errors.empty() ? "none" : errors) + "\n");
}

load_operation operation_of(session& directory, const bench_options& options, const secret& password) {
  if (options.operation == bench_operation::whoami) return asking_who(directory.manager());
  const auto base = directory.base_or_default(options.base);
  if (options.operation == bench_operation::search) return searching(directory.manager(), options, base);
  return authenticating(directory.manager(), options, base, password);
}

int bench(interrupt_watch& interrupts, const bench_options& options) {
  command_time time{options.where.timeout};
  if (options.operation != bench_operation::whoami)
    require_sendable({search_of(options, options.base.value_or(""), options.first), {}});
  const auto all = read_settings(options.where, time, interrupts);
  secret password;
  if (options.operation == bench_operation::authenticate)
    password = time.waiting_for_input(
        [&] { return read_password("Password of the users (%d is the user's number): ", interrupts); });
  if (options.operation == bench_operation::authenticate && password.size() == 0)
    throw usage_error("bench --operation authenticate needs the users' password on standard input");
  session directory(all, options.where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  load_generator load(operation_of(directory, options, password), options.concurrency, options.first, options.last,
                      options.where.timeout);
  const interrupt_action on_signal(interrupts, [&load] { load.stop(); });
  const auto report = load.run(options.span);
  options.json ? print_json(report) : print_text(report);
  return exit_ok;
}

}  // namespace

void declare_bench(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("bench", "Put load on the directory and measure; keeps going through faults");
  auto options = std::make_shared<bench_options>();
  options->where.declare(*sub, "connecting, and then each operation,");
  static const std::vector<std::pair<std::string, bench_operation>> operations{
      {"search", bench_operation::search},
      {"authenticate", bench_operation::authenticate},
      {"whoami", bench_operation::whoami}};
  sub->add_option_function<std::string>(
         "--operation",
         [options](const std::string& text) { options->operation = choice_argument("--operation", operations, text); },
         "search (default), authenticate (search, then bind) or whoami")
      ->type_name(choices_of(operations));
  sub->add_option_function<std::string>(
         "--duration", [options](const std::string& text) { options->span = span_argument("--duration", text); },
         "How long; default: 10s")
      ->type_name("TIME");
  sub->add_option("--concurrency", options->concurrency, "Operations in flight; default: 64")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100000}).description(""))
      ->type_name("COUNT");
  sub->add_option("-b,--base", options->base, "Where to search, %d is the number; default: the naming context")
      ->type_name("DN");
  sub->add_option("--filter", options->filter, "What to search, %d is the number; default: (uid=user%d)")
      ->type_name("FILTER");
  sub->add_option_function<std::string>(
         "--range", [options](const std::string& text) { set_range(*options, text); },
         "The numbers that %d stands for, in turn; default: 0:9999")
      ->type_name("FIRST:LAST");
  sub->add_flag("--json", options->json, "Print JSON");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return bench(interrupts, *options); }; });
}

}  // namespace understudy::cli
