// One search after the other, as the cursor has it: see ranged_values.hpp.
#include "understudy/runtime/ranged_values.hpp"

#include "understudy/messages/range_cursor.hpp"
#include "understudy/runtime/client/failures.hpp"

namespace understudy {

using namespace internal;
namespace {

constexpr int most_restarts = 3;

request_ptr search_of(const std::string& dn, std::string attribute) {
  search_request what;
  what.base = dn;
  what.scope = search_scope::base;
  what.attributes = {std::move(attribute)};
  return make_request(std::move(what));
}

outcome gathered(result&& last, std::string dn, std::string attribute, std::vector<std::string> values) {
  auto all = std::make_shared<result>();
  all->server = std::move(last.server);
  all->controls = std::move(last.controls);
  all->entries.push_back({std::move(dn), {{std::move(attribute), std::move(values)}}});
  return result_ptr{std::move(all)};
}

}  // namespace

outcome try_fetch_all_values(directory& from, std::string dn, std::string attribute, const values_options& options) {
  if (attribute.empty() || has_range(attribute))
    return make_failure(errc::invalid_request, stage::queue,
                        "\"" + attribute + "\" cannot be read in ranges: name an attribute, without a range");
  const auto deadline = std::chrono::steady_clock::now() + as_limit(options.timeout);
  range_cursor cursor{attribute, options.max_bytes};
  std::string server;
  for (int restarts = 0;;) {
    call_options each;
    each.timeout = deadline - std::chrono::steady_clock::now();
    if (each.timeout <= duration{})
      return make_failure(errc::operation_timeout, stage::operation,
                          "not all values of " + attribute + " could be read in time", server);
    auto answer = from.perform(search_of(dn, cursor.next()), each);
    if (!answer) return answer;
    if (!server.empty() && answer->server != server) {
      if (++restarts > most_restarts)
        return make_failure(errc::connection_failed, stage::operation,
                            "another server answered each time; read the values of " + attribute + " on a lease",
                            answer->server);
      server.clear();
      cursor.restart();
      continue;
    }
    server = answer->server;
    if (auto why = cursor.note(*answer)) return why;
    if (cursor.finished()) return gathered(std::move(*answer), std::move(dn), std::move(attribute), cursor.take());
  }
}

std::vector<std::string> fetch_all_values(directory& from, std::string dn, std::string attribute,
                                          const values_options& options) {
  auto all = try_fetch_all_values(from, std::move(dn), std::move(attribute), options);
  return std::move(all.value().entries.front().attributes.front().values);
}

}  // namespace understudy
