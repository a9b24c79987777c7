// Medians, JSON, tables.
#include "results.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace understudy::benchmark {
namespace {

std::vector<double> sorted(const std::vector<std::map<std::string, double>>& rounds, const std::string& key) {
  std::vector<double> found;
  for (const auto& r : rounds)
    if (const auto at = r.find(key); at != r.end()) found.push_back(at->second);
  std::sort(found.begin(), found.end());
  return found;
}

[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...) {
  char buffer[256];
  va_list values;
  va_start(values, format);
  std::vsnprintf(buffer, sizeof buffer, format, values);
  va_end(values);
  return buffer;
}

double median_of(const nlohmann::json& series, const char* key) {
  const auto& values = series.at("values");
  return values.contains(key) ? values.at(key).at("median").get<double>() : 0;
}

std::string rate(double per_second) {
  return per_second >= 10000 ? text("%.0f k", per_second / 1000) : text("%.4g", per_second);
}

std::string goal(double reached, double wanted, bool at_least) {
  const bool good = at_least ? reached >= wanted : reached <= wanted;
  return text("%.2f (%s %.4g: %s)", reached, at_least ? "≥" : "≤", wanted, good ? "met" : "**missed**");
}

std::string row(const nlohmann::json& series, const nlohmann::json* beside) {
  const double ops = median_of(series, "ops_per_second"), cpu = median_of(series, "cpu_us");
  const auto& spread = series.at("values").at("ops_per_second");
  std::string ratio, best, cost;
  if (beside != nullptr) {
    const double faster = ops / median_of(*beside, "ops_per_second"), cheaper = cpu / median_of(*beside, "cpu_us");
    // On a machine that is shared the best rounds are those that were disturbed least.
    best = text("%.2f",
                spread.at("max").get<double>() / beside->at("values").at("ops_per_second").at("max").get<double>());
    ratio = series.contains("factor") ? goal(faster, series.at("factor").get<double>(), true) : text("%.2f", faster);
    cost = series.contains("cost") ? goal(cheaper, series.at("cost").get<double>(), false) : text("%.2f", cheaper);
  }
  return "| " + series.at("name").get<std::string>() + " | " + rate(ops) + " | " +
         rate(spread.at("min").get<double>()) + " – " + rate(spread.at("max").get<double>()) + " | " + ratio + " | " +
         best + " | " + text("%.2f | ", cpu) + cost +
         text(" | %.0f / %.0f / %.0f | %.2f | %.1f |", median_of(series, "p50_us"), median_of(series, "p99_us"),
              median_of(series, "p999_us"), median_of(series, "switches"), median_of(series, "rss_kib") / 1024) +
         "\n";
}

std::string remarks(const nlohmann::json& series) {
  std::string said;
  if (series.at("values").contains("kib_per_connection"))
    said += text("%.1f KiB a connection", median_of(series, "kib_per_connection"));
  if (series.at("values").contains("idle_percent"))
    said += text("%s%.2f %% of a core while idle", said.empty() ? "" : ", ", median_of(series, "idle_percent"));
  const auto also = [&](const std::string& more) { said += (said.empty() ? "" : ", ") + more; };
  if (series.at("values").contains("between_cpu_us"))
    also(text("the proxy takes %.2f µs of processor time each, %.1f MiB", median_of(series, "between_cpu_us"),
              median_of(series, "between_rss_kib") / 1024));
  if (series.at("values").contains("between_kib_each"))
    also(text("%.1f KiB of the proxy each, %.2f %% of a core while idle", median_of(series, "between_kib_each"),
              median_of(series, "between_idle_percent")));
  if (series.at("values").contains("logins"))
    also(
        text("%.0f logins came, %.0f failed (%.1f %%); p50 %.1f ms, p99 %.1f ms, longest %.1f ms of the others; "
             "in the second half %.0f failed, p99 %.1f ms",
             median_of(series, "logins"), median_of(series, "failures"), median_of(series, "failed_percent"),
             median_of(series, "p50_us") / 1000, median_of(series, "p99_us") / 1000, median_of(series, "max_us") / 1000,
             median_of(series, "settled_failed"), median_of(series, "settled_p99_us") / 1000));
  else if (series.contains("fault"))
    said +=
        text("%.0f failed, longest answer %.1f ms", median_of(series, "failures"), median_of(series, "max_us") / 1000);
  return said.empty() ? said : "- " + series.at("name").get<std::string>() + ": " + said + "\n";
}

}  // namespace

double series_result::median(const std::string& key) const {
  const auto all = sorted(rounds, key);
  if (all.empty()) return 0;
  const auto middle = all.size() / 2;
  return all.size() % 2 == 1 ? all[middle] : (all[middle - 1] + all[middle]) / 2;
}

double series_result::least(const std::string& key) const {
  const auto all = sorted(rounds, key);
  return all.empty() ? 0 : all.front();
}

double series_result::most(const std::string& key) const {
  const auto all = sorted(rounds, key);
  return all.empty() ? 0 : all.back();
}

nlohmann::json to_json(const std::vector<series_result>& all, const std::map<std::string, std::string>& conditions) {
  nlohmann::json run{{"conditions", conditions}, {"series", nlohmann::json::array()}};
  for (const auto& one : all) {
    nlohmann::json made{{"group", one.what.group},           {"name", one.what.name},
                        {"client", one.what.client},         {"server", one.what.server},
                        {"arguments", one.what.arguments},   {"rounds", one.rounds.size()},
                        {"values", nlohmann::json::object()}};
    if (!one.what.beside.empty()) made["beside"] = one.what.beside;
    if (one.what.factor) made["factor"] = *one.what.factor;
    if (one.what.cost) made["cost"] = *one.what.cost;
    if (!one.what.fault.empty()) made["fault"] = one.what.fault;
    if (!one.rounds.empty())
      for (const auto& [key, first] : one.rounds.front())
        made["values"][key] = {{"median", one.median(key)}, {"min", one.least(key)}, {"max", one.most(key)}};
    run["series"].push_back(std::move(made));
  }
  return run;
}

std::string tables(const nlohmann::json& run) {
  std::map<std::string, const nlohmann::json*> by_name;
  for (const auto& one : run.at("series")) by_name[one.at("name")] = &one;
  const auto& conditions = run.at("conditions");
  const auto other = conditions.contains("compared with") ? conditions.at("compared with").get<std::string>() : "stock";
  std::string out, group, notes;
  const auto end_group = [&] {
    if (!notes.empty()) out += "\n" + notes;
    notes.clear();
  };
  for (const auto& one : run.at("series")) {
    if (one.at("group") != group) {
      end_group();
      group = one.at("group");
      out += (out.empty() ? "" : "\n") + std::string("### ") + group + "\n\n| what | a second | min – max | × " +
             other + " | best × best | CPU µs | × " + other +
             " | p50 / p99 / p99.9 µs | switches | RSS MiB |\n|---|---|---|---|---|---|---|---|---|---|\n";
    }
    const auto beside = one.contains("beside") ? by_name.find(one.at("beside")) : by_name.end();
    out += row(one, beside == by_name.end() ? nullptr : beside->second);
    notes += remarks(one);
  }
  end_group();
  return out;
}

}  // namespace understudy::benchmark
