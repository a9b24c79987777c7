// A service's own look-ups: see custom_resolver.hpp.
#include "understudy/runtime/platform/custom_resolver.hpp"

#include "understudy/messages/error.hpp"
#include "understudy/runtime/platform/addresses.hpp"

namespace understudy::internal {
namespace {

/// What `ask` returns, or what it throws as words.
template <class Answer, class Ask>
Answer answer_or(const Ask& ask, const std::string& name, std::string& problem) {
  try {
    return ask(name);
  } catch (const std::exception& e) {
    problem = e.what();
  } catch (...) {
    problem = "the service's own look-up failed without saying why";
  }
  if (problem.empty()) problem = "the service's own look-up failed without saying why";
  return {};
}

}  // namespace

name_resolver::lookup address_lookup(std::function<std::vector<std::string>(const std::string& host)> ask) {
  if (!ask) return name_resolver::system_lookup;
  return [ask = std::move(ask)](const std::string& host) {
    resolution found;
    std::string problem;
    for (const auto& text : answer_or<std::vector<std::string>>(ask, host, problem))
      if (auto address = literal_address(text, 0))
        found.addresses.push_back(std::move(*address));
      else
        problem = "'" + text + "' is no address";
    if (found.addresses.empty())
      found.error = make_failure(
          errc::connection_failed, stage::resolve,
          "the name '" + host + "' was not resolved: " + (problem.empty() ? "it has no address" : problem));
    return found;
  };
}

name_resolver::srv_lookup srv_lookup(std::function<service_answer(const std::string& name)> ask) {
  if (!ask) return name_resolver::system_services;
  return [ask = std::move(ask)](const std::string& name) {
    std::string problem;
    auto found = answer_or<service_answer>(ask, name, problem);
    if (!problem.empty()) found.problem = std::move(problem);
    return found;
  };
}

}  // namespace understudy::internal
