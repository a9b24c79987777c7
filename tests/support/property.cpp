// Running properties and reporting what breaks them.
#include "support/property.hpp"

#include <rapidcheck/detail/Configuration.h>
#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace understudy::test::detail {
namespace {

namespace rcd = rc::detail;

/// An instrumented build is several times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int slowness = 10;
#else
constexpr int slowness = 1;
#endif

/// rapidcheck's own listener prints of every failure, also of those that are expected.
class silence final : public rcd::TestListener {
 public:
  void onTestCaseFinished(const rcd::CaseDescription&) override {}
  void onShrinkTried(const rcd::CaseDescription&, bool) override {}
  void onTestFinished(const rcd::TestMetadata&, const rcd::TestResult&) override {}
};

int cases_of(const property_size& size) {
  const char* percent = std::getenv("UNDERSTUDY_PROPERTY_CASES");
  const long factor = percent != nullptr ? std::strtol(percent, nullptr, 10) : 100;
  return static_cast<int>(std::max(20L, size.cases * factor / 100 / slowness));
}

rcd::TestParams params_of(const property_size& size) {
  rcd::TestParams params = rcd::configuration().testParams;  // the seed, and what RC_PARAMS says
  params.maxSuccess = cases_of(size);
  params.maxSize = size.longest;
  return params;
}

std::string text_of(const rcd::TestResult& result) {
  std::ostringstream text;
  rcd::printResultMessage(result, text);
  return text.str();
}

rcd::TestResult run(const std::string& name, const rcd::TestParams& params, const rcd::Property& property) {
  silence nobody;
  return rcd::checkProperty(property, rcd::TestMetadata{name, name}, params, nobody);
}

}  // namespace

void check(const std::string& name, const property_size& size, const rcd::Property& property) {
  const auto params = params_of(size);
  BOOST_TEST_MESSAGE(name << ": up to " << params.maxSuccess << " cases, RC_PARAMS=\"seed=" << params.seed << "\"");
  const auto result = run(name, params, property);
  std::string how;
  if (result.is<rcd::FailureResult>()) {
    rcd::Configuration again;
    again.reproduce.emplace(name, result.get<rcd::FailureResult>().reproduce);
    how = "\nTo repeat just this case: RC_PARAMS=\"" + rcd::configToMinimalString(again) + "\"";
  }
  BOOST_CHECK_MESSAGE(result.is<rcd::SuccessResult>(), name << "\n" << text_of(result) << how);
}

void expect_counterexample(const std::string& name, const property_size& size, const rcd::Property& property) {
  // Always the same cases, and a few more of them: whether they suffice is no matter of luck.
  rcd::TestParams params;
  params.seed = 20260101;
  params.maxSuccess = std::max(500, size.cases);
  params.maxSize = size.longest;
  // Which promise breaks is what is asked, not by how little: to find the shortest case takes most of the time.
  params.disableShrinking = true;
  silence nobody;
  const auto result = rcd::checkProperty(property, rcd::TestMetadata{name, name}, params, nobody, {});
  BOOST_CHECK_MESSAGE(result.is<rcd::FailureResult>(),
                      "no case was found in which this breaks, though what ensures it is off: " << name << "\n"
                                                                                                << text_of(result));
  BOOST_TEST_MESSAGE("as it should, this breaks: " << text_of(result));
}

}  // namespace understudy::test::detail
