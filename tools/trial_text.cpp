// Steps, certificates and advice as lines: see trial_text.hpp.
#include "understudy/tools/trial_text.hpp"

#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/tools/report.hpp"

namespace understudy::cli {

using namespace internal;
namespace {

constexpr std::size_t name_width = 16;

std::string padded(std::string_view text) {
  std::string wide{text};
  wide.resize(std::max(wide.size(), name_width), ' ');
  return wide;
}

std::string about_certificate(const certificate_look& look, wall_time now) {
  if (look.shown.empty())
    return look.problem.empty() ? "" : "      the certificate could not be seen: " + printable(look.problem) + "\n";
  return lines_about(look.shown.front(), now, "      ");
}

/// A certificate that is not valid yet, or not any more, may be right and the clock wrong.
std::string about_clock(const certificate_look* look, wall_time now) {
  if (look == nullptr || look->shown.empty()) return {};
  const auto& own = look->shown.front();
  const bool outside = (own.begin && *own.begin > now) || (own.end && *own.end < now);
  return outside ? "      this machine's clock says " + utc(now) + ": is it right?\n" : "";
}

}  // namespace

std::string_view step_name(stage step) noexcept {
  switch (step) {
    case stage::resolve:
      return "name look-up";
    case stage::connect:
      return "TCP";
    case stage::secure:
      return "TLS";
    case stage::bind:
      return "bind";
    case stage::operation:
      return "first answer";
    case stage::queue:
      break;
  }
  return "turn";
}

std::string trial_text(const std::string& server, const probe_report& probe, const certificate_look* look,
                       wall_time now, const given_options& given) {
  auto text = printable(server) + "\n";
  bool certificate_told = look == nullptr;
  for (const auto& step : probe.steps) {
    text += "  " + padded(step_name(step.what)) + (step.ok ? "ok, " : "FAILED after ") + milliseconds_text(step.took) +
            "\n";
    if (step.what != stage::secure || certificate_told) continue;
    text += about_certificate(*look, now);
    certificate_told = true;
  }
  if (probe.error) {
    text += "      " + printable(explain(*probe.error, given)) + "\n";
    if (!probe.steps.empty() && probe.steps.back().what == stage::secure) text += about_clock(look, now);
  }
  if (!probe.warning.empty()) text += "      warning: " + printable(probe.warning) + "\n";
  return text;
}

std::string shell_words(const std::vector<std::string>& words) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
  return joined(words, " ", [&](const std::string& word) {
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string{"'\\''"} : std::string{c};
    return quoted + "'";
  });
}

}  // namespace understudy::cli
