// Names, combinations and samples of cells.
#include "matrix/cell.hpp"

#include <array>

namespace understudy::matrix {
namespace {

constexpr std::array fault_names{
    "refused",     "blackholed",       "hung", "accepts_and_closes", "hung_at_bind",    "hung_at_start_tls",
    "hung_at_tls", "connection_limit", "busy", "slow_drip",          "reset_in_answer", "goodbye"};
constexpr std::array moment_names{"before_start", "filling", "idle", "under_load", "reload", "failback", "stop"};
constexpr std::array layout_names{"sole", "two_levels", "three_levels", "one_level"};
constexpr std::array security_names{"plain", "start_tls", "ldaps"};

/// Spreads consecutive numbers evenly (the finalizer of splitmix64).
std::uint64_t mixed(std::uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

}  // namespace

std::string_view to_string(fault kind) { return fault_names.at(static_cast<std::size_t>(kind)); }
std::string_view to_string(moment when) { return moment_names.at(static_cast<std::size_t>(when)); }

std::string name(const cell& of) {
  std::string text;
  for (const std::string_view part :
       {to_string(of.what), to_string(of.when), std::string_view{layout_names.at(static_cast<std::size_t>(of.servers))},
        std::string_view{security_names.at(static_cast<std::size_t>(of.wire))},
        std::string_view{of.binds ? "bind" : "anonymous"}})
    text.append(part).append("/");
  return text + std::to_string(of.timeout.count()) + "s";
}

bool makes_sense(const cell& candidate) {
  if (candidate.what == fault::hung_at_bind) return candidate.binds;
  if (candidate.what == fault::hung_at_start_tls) return candidate.wire == security::start_tls;
  if (candidate.what == fault::hung_at_tls) return candidate.wire != security::plain;
  return true;
}

std::vector<cell> all_cells() {
  std::vector<cell> all;
  for (std::size_t what = 0; what < fault_names.size(); ++what)
    for (std::size_t when = 0; when < moment_names.size(); ++when)
      for (std::size_t servers = 0; servers < layout_names.size(); ++servers)
        for (std::size_t wire = 0; wire < security_names.size(); ++wire)
          for (const bool binds : {true, false})
            for (const seconds timeout : {seconds{1}, seconds{30}}) {
              const cell one{static_cast<fault>(what),
                             static_cast<moment>(when),
                             static_cast<layout>(servers),
                             static_cast<security>(wire),
                             binds,
                             timeout};
              if (makes_sense(one)) all.push_back(one);
            }
  return all;
}

std::optional<cell> find_cell(std::string_view wanted) {
  for (const auto& one : all_cells())
    if (name(one) == wanted) return one;
  return {};
}

std::vector<cell> sample(const std::vector<cell>& of, std::uint64_t parts, std::uint64_t seed) {
  std::vector<cell> chosen;
  for (std::size_t i = 0; i < of.size(); ++i)
    if ((mixed(i) + seed) % parts == 0) chosen.push_back(of[i]);
  return chosen;
}

int server_count(layout servers) {
  constexpr std::array counts{1, 2, 3, 2};
  return counts.at(static_cast<std::size_t>(servers));
}

int faulty_count(layout servers) { return servers == layout::three_levels ? 2 : 1; }

std::vector<int> priorities(layout servers) {
  std::vector<int> levels;
  for (int i = 1; i <= server_count(servers); ++i) levels.push_back(servers == layout::one_level ? 1 : i);
  return levels;
}

bool someone_serves(const cell& played) {
  return played.servers != layout::sole || played.what == fault::connection_limit;
}

}  // namespace understudy::matrix
