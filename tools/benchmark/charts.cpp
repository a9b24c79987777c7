// Charts of a run, as SVG.
#include "results.hpp"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace understudy::benchmark {
namespace {

struct bars {
  std::string label;
  std::vector<double> values;  // one a category
};

struct chart {
  std::string title, unit;
  std::vector<std::string> categories;
  std::vector<bars> rows;
};

constexpr int width = 720, height = 300, left = 60, bottom = 40, top = 56;
constexpr const char* colours[] = {"#8a8f98", "#2f6fb5", "#c98a1b"};

std::string text(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

std::string number(double v) { return text("%.1f", v); }

std::string label(double x, double y, const char* anchor, const std::string& caption) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + caption +
         "</text>\n";
}

std::string rectangle(double x, double y, double w, double h, const char* colour) {
  return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(w) + "\" height=\"" + number(h) +
         "\" fill=\"" + colour + "\"/>\n";
}

/// A round number not below `v`.
double ceiling(double v) {
  if (v <= 0) return 1;
  const double power = std::pow(10, std::floor(std::log10(v)));
  for (const double step : {1.0, 2.0, 2.5, 5.0, 10.0})
    if (v <= step * power) return step * power;
  return 10 * power;
}

std::string draw(const chart& c) {
  double most = 0;
  for (const auto& row : c.rows)
    for (const double v : row.values) most = std::max(most, v);
  most = ceiling(most);
  const double room = height - bottom - top;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + std::to_string(width) + " " +
                    std::to_string(height) + "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n";
  out += rectangle(0, 0, width, height, "#ffffff");
  out += "<text x=\"10\" y=\"20\" font-size=\"15\">" + c.title + " (" + c.unit + ")</text>\n";
  for (int i = 0; i <= 4; ++i) {
    const double y = height - bottom - room * i / 4;
    out += rectangle(left, y, width - left - 10, 0.5, "#cccccc");
    out += label(left - 6, y + 4, "end", text("%.4g", most * i / 4));
  }
  const double slot = static_cast<double>(width - left - 10) / static_cast<double>(c.categories.size());
  const double bar = slot * 0.8 / static_cast<double>(c.rows.size());
  for (std::size_t r = 0; r < c.rows.size(); ++r) {
    const auto* colour = colours[r % std::size(colours)];
    out += rectangle(left + 190.0 * static_cast<double>(r), 32, 10, 10, colour);
    out += label(left + 190.0 * static_cast<double>(r) + 15, 41, "start", c.rows[r].label);
    for (std::size_t i = 0; i < c.rows[r].values.size(); ++i) {
      const double x = left + slot * (static_cast<double>(i) + 0.1) + bar * static_cast<double>(r);
      const double h = room * c.rows[r].values[i] / most;
      out += rectangle(x, height - bottom - h, bar * 0.95, h, colour);
      out += label(x + bar / 2, height - bottom - h - 3, "middle", text("%.3g", c.rows[r].values[i]));
    }
  }
  for (std::size_t i = 0; i < c.categories.size(); ++i)
    out += label(left + slot * (static_cast<double>(i) + 0.5), height - bottom + 18, "middle", c.categories[i]);
  return out + "</svg>\n";
}

/// The medians of one key for names made of a pattern ("#" is the category).
class reader {
 public:
  explicit reader(const nlohmann::json& run) {
    for (const auto& one : run.at("series")) by_name_[one.at("name")] = &one;
  }
  bars read(const std::string& legend, const std::string& pattern, const std::vector<std::string>& categories,
            const std::string& key, double unit) const {
    bars row{legend, {}};
    for (const auto& category : categories) {
      auto name = pattern;
      name.replace(name.find('#'), 1, category);
      const auto at = by_name_.find(name);
      const bool known = at != by_name_.end() && at->second->at("values").contains(key);
      row.values.push_back(known ? at->second->at("values").at(key).at("median").get<double>() / unit : 0);
    }
    return row;
  }

 private:
  std::map<std::string, const nlohmann::json*> by_name_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> charts(const nlohmann::json& run) {
  const reader from(run);
  const std::vector<std::string> windows{"1", "8", "64", "512"}, threads{"1", "8", "64"},
      connections{"1", "10", "100", "1000", "10000"}, counts{"1", "2", "4", "8"};
  const std::string stock = "stock libldap async, # in flight", ours = "understudy actor, # in flight";
  std::vector<std::pair<std::string, std::string>> made;
  made.emplace_back("throughput.svg",
                    draw({"Searches a second, one connection, by number in flight",
                          "thousands",
                          windows,
                          {from.read("stock libldap async", stock, windows, "ops_per_second", 1000),
                           from.read("Understudy, from an actor", ours, windows, "ops_per_second", 1000)}}));
  made.emplace_back("cpu.svg", draw({"Client's processor time a search, by number in flight",
                                     "µs",
                                     windows,
                                     {from.read("stock libldap async", stock, windows, "cpu_us", 1),
                                      from.read("Understudy, from an actor", ours, windows, "cpu_us", 1)}}));
  made.emplace_back(
      "threads.svg",
      draw(
          {"Blocking searches a second, by threads",
           "thousands",
           threads,
           {from.read("stock, a connection a thread", "stock libldap sync, # threads", threads, "ops_per_second", 1000),
            from.read("Understudy's facade", "understudy facade, # threads", threads, "ops_per_second", 1000)}}));
  made.emplace_back(
      "scale.svg",
      draw({"Client's processor time a search, 64 in flight, by connections",
            "µs",
            connections,
            {from.read("Understudy", "understudy actor, 64 in flight over # connections", connections, "cpu_us", 1)}}));
  made.emplace_back(
      "servers.svg",
      draw({"Client's processor time a search, 64 in flight, by servers",
            "µs",
            counts,
            {from.read("Understudy", "understudy actor, 64 in flight over # servers", counts, "cpu_us", 1)}}));
  return made;
}

}  // namespace understudy::benchmark
