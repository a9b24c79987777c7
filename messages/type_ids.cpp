// Carries our failures in CAF's errors and back, and registers our error category.
#include "understudy/messages/type_ids.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace understudy {
namespace {

constexpr caf::atom_value our_category = caf::detail::error_factory<errc>::category;

failure from_sec(caf::sec code) {
  failure f;
  switch (code) {
    case caf::sec::request_timeout:
      return internal::no_answer_in_time(stage::queue);  // no server was asked
    case caf::sec::request_receiver_down:
      return internal::runtime_ended(stage::operation);
    default:
      f.code = errc::internal;
      f.message = "the runtime could not deliver the request (" + to_string(code) + ")";
  }
  return f;
}

failure from_foreign(const caf::error& e) {
  if (e.category() == caf::atom("system")) return from_sec(static_cast<caf::sec>(e.code()));
  if (e.category() == caf::atom("exit")) return internal::runtime_ended(stage::operation);
  failure f;
  f.code = errc::internal;
  f.message = "an actor failed with code " + std::to_string(e.code());
  return f;
}

}  // namespace

caf::error to_error(failure_ptr f) {
  const auto code = f->code;
  return caf::make_error(code, std::move(f));
}

caf::error to_error(failure f) { return to_error(make_failure(std::move(f))); }

failure_ptr failure_of(const caf::error& e) {
  if (e.category() != our_category) return make_failure(from_foreign(e));
  const auto& context = e.context();
  if (context.match_elements<failure_ptr>()) {
    if (const auto& carried = context.get_as<failure_ptr>(0)) return carried;
  }
  failure f;
  f.code = static_cast<errc>(e.code());
  return make_failure(std::move(f));
}

void configure(caf::actor_system_config& config) {
  // The context is left out on purpose: it may name entries and users.
  config.add_error_category(our_category, [](std::uint8_t code, caf::atom_value, const caf::message&) {
    return std::string{to_string(static_cast<errc>(code))};
  });
}

}  // namespace understudy
