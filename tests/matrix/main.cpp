// understudy_matrix: plays cells of the matrix, each in a process of its own, many at a time; says which broke the
// rule.
#include "matrix/cell_process.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>

using namespace understudy;
using namespace understudy::matrix;

namespace {

constexpr const char* usage =
    "usage: understudy_matrix [--filter TEXT]… [--cell NAME] [--sample PARTS] [--shard K/N] [--jobs N] [--list] "
    "[--log]\n"
    "  --filter TEXT   only cells whose name contains TEXT; with several, all of them; !TEXT: not\n"
    "  --cell NAME     one cell, in this process, with the runtime's log\n"
    "  --sample PARTS  about one cell in PARTS; UNDERSTUDY_MATRIX_SEED=N chooses others\n"
    "  --shard K/N     part K (from 0) of N of what is left\n"
    "  --jobs N        so many at a time (24)\n"
    "  --list          names them, plays none\n"
    "  --log           with the runtime's log of cells that failed\n"
    "A cell that broke the rule while the machine kept its process waiting is STARVED and counts for nothing, unless "
    "there\nare many.\n";

struct options {
  std::vector<std::string> filters;
  std::string cell;
  std::uint64_t parts = 1, shard = 0, shards = 1, seed = 0;
  std::size_t jobs = 24;
  bool list = false, log = false;
};

std::optional<options> parse(int argc, char** argv) {
  options o;
  if (const char* seed = std::getenv("UNDERSTUDY_MATRIX_SEED")) o.seed = std::strtoull(seed, nullptr, 10);
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--list" || arg == "--log") {
      (arg == "--list" ? o.list : o.log) = true;
      continue;
    }
    if (++i == argc) return {};
    const char* value = argv[i];
    char* rest = nullptr;
    if (arg == "--filter")
      o.filters.emplace_back(value);
    else if (arg == "--cell")
      o.cell = value;
    else if (arg == "--sample")
      o.parts = std::strtoull(value, nullptr, 10);
    else if (arg == "--jobs")
      o.jobs = std::strtoull(value, nullptr, 10);
    else if (arg == "--shard" && (o.shard = std::strtoull(value, &rest, 10), *rest == '/'))
      o.shards = std::strtoull(rest + 1, nullptr, 10);
    else
      return {};
  }
  const bool sound = o.parts > 0 && o.jobs > 0 && o.shards > o.shard;
  return sound ? std::optional{o} : std::nullopt;
}

bool fits(const std::string& name, const std::vector<std::string>& filters) {
  return std::all_of(filters.begin(), filters.end(), [&](const std::string& f) {
    const bool negated = f.starts_with('!');
    return (name.find(f.substr(negated ? 1 : 0)) != std::string::npos) != negated;
  });
}

std::vector<cell> chosen(const options& o) {
  std::vector<cell> some = sample(all_cells(), o.parts, o.seed);
  std::erase_if(some, [&](const cell& candidate) { return !fits(name(candidate), o.filters); });
  std::vector<cell> mine;
  for (std::size_t i = 0; i < some.size(); ++i)
    if (i % o.shards == o.shard) mine.push_back(some[i]);
  return mine;
}

int play_one(const std::string& wanted) {
  const auto one = find_cell(wanted);
  if (!one) {
    std::fprintf(stderr, "no cell \"%s\"; --list names them\n", wanted.c_str());
    return 2;
  }
  const test::certificate_set certificates;
  const auto result = play(*one, certificates);
  for (const auto& line : result.log) std::fprintf(stderr, "%s\n", line.c_str());
  for (const auto& sentence : result.broken) std::printf("BROKEN %s\n", sentence.c_str());
  std::printf("%s: %s\n", wanted.c_str(), result.broken.empty() ? "kept" : "broken");
  return result.broken.empty() ? 0 : 1;
}

/// A cell that the machine kept waiting for longer was not played as it is meant: what it broke says nothing.
constexpr milliseconds starved_after{500};
/// Of a hundred cells so many may be starved; with more, nothing was tested.
constexpr int starved_at_most = 10;

enum class judgement : std::uint8_t { kept, broken, starved };

judgement judged(const played& result) {
  if (result.broken.empty()) return judgement::kept;
  return result.stalled >= starved_after ? judgement::starved : judgement::broken;
}

/// What was played, as faults × moments.
class summary {
 public:
  void add(const cell& of, const played& result) {
    const auto found = judged(result);
    auto& [kept, all] = counts_[{of.what, of.when}];
    ++all;
    kept += found == judgement::kept ? 1 : 0;
    stalled_ = std::max(stalled_, result.stalled);
    ++(found == judgement::kept ? kept_ : found == judgement::broken ? broken_ : starved_);
  }
  void print() const {
    std::printf("\n%-20s", "kept/played");
    for (int when = 0; when <= static_cast<int>(moment::stop); ++when)
      std::printf("%14s", std::string{to_string(static_cast<moment>(when))}.c_str());
    for (int what = 0; what <= static_cast<int>(fault::goodbye); ++what) {
      std::printf("\n%-20s", std::string{to_string(static_cast<fault>(what))}.c_str());
      for (int when = 0; when <= static_cast<int>(moment::stop); ++when) {
        const auto found = counts_.find({static_cast<fault>(what), static_cast<moment>(when)});
        const std::string text = found == counts_.end()
                                     ? "-"
                                     : std::to_string(found->second.first) + "/" + std::to_string(found->second.second);
        std::printf("%14s", text.c_str());
      }
    }
    std::printf(
        "\n%d cells kept the rule, %d broke it, %d were starved; the machine kept one waiting for %lld ms at most\n",
        kept_, broken_, starved_, static_cast<long long>(std::chrono::duration_cast<milliseconds>(stalled_).count()));
  }
  bool good() const noexcept { return broken_ == 0 && starved_ * 100 <= starved_at_most * (kept_ + starved_); }

 private:
  std::map<std::pair<fault, moment>, std::pair<int, int>> counts_;
  int kept_ = 0, broken_ = 0, starved_ = 0;
  duration stalled_{};
};

int play_all(const std::vector<cell>& cells, const options& o) {
  std::printf("%zu cells, %zu at a time, seed %llu\n", cells.size(), o.jobs, static_cast<unsigned long long>(o.seed));
  const test::certificate_set certificates;
  summary found;
  play_in_processes(cells, o.jobs, certificates, [&](const cell& of, const played& result) {
    found.add(of, result);
    const auto what = judged(result);
    if (what == judgement::kept) return;
    std::printf("\n%s %s\n", what == judgement::broken ? "BROKEN" : "STARVED", name(of).c_str());
    for (const auto& sentence : result.broken) std::printf("  %s\n", sentence.c_str());
    if (o.log)
      for (const auto& line : result.log) std::printf("    %s\n", line.c_str());
    std::printf("  again: tools/matrix --cell %s\n", name(of).c_str());
    std::fflush(stdout);
  });
  found.print();
  return found.good() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto o = parse(argc, argv);
  if (!o) {
    std::fputs(usage, stderr);
    return 2;
  }
  if (!o->cell.empty()) return play_one(o->cell);
  const auto cells = chosen(*o);
  if (o->list) {
    for (const auto& one : cells) std::printf("%s\n", name(one).c_str());
    return 0;
  }
  return play_all(cells, *o);
} catch (const std::exception& e) {
  std::fprintf(stderr, "understudy_matrix: %s\n", e.what());
  return 1;
}
