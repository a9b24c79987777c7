// Silent default handlers, restart intensity, and containment of exceptions in handlers.
#include "understudy/actors/ports/guard.hpp"

#include <caf/exit_reason.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/system_messages.hpp>

#include <cxxabi.h>
#include <algorithm>
#include <cstdlib>
#include <typeinfo>

namespace understudy {
namespace {

constexpr std::size_t restarts_allowed = 5;
constexpr seconds restart_window{60};

/// The name of the exception that is being handled.
std::string exception_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown exception";
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name{abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free};
  return name && status == 0 ? std::string{name.get()} : std::string{type->name()};
}

failure internal_failure(const std::string& component, const std::string& type) {
  failure f;
  f.code = errc::internal;
  f.message = "A defect in " + component + " (" + type + ") was contained; please report it with the log.";
  return f;
}

/// An answer only for those who asked: CAF would send the error of a plain message to its sender, as another message.
caf::result<caf::message> drop_silently(caf::scheduled_actor* self, caf::message_view&) {
  const auto* element = self->current_mailbox_element();
  if (element != nullptr && element->mid.is_request()) return caf::sec::unexpected_message;
  return caf::delegated<caf::message>{};
}

}  // namespace

void install_default_handlers(caf::scheduled_actor& self) {
  self.set_default_handler(drop_silently);
  self.set_error_handler([](caf::scheduled_actor*, caf::error&) {});
  self.set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
  self.set_exit_handler([](caf::scheduled_actor* actor, caf::exit_msg& order) {
    if (order.reason == caf::exit_reason::user_shutdown || order.reason == caf::exit_reason::kill)
      actor->quit(order.reason);
  });
  self.set_exception_handler(
      [](caf::scheduled_actor*, std::exception_ptr&) { return caf::make_error(errc::internal); });
}

bool restart_budget::note(time_point now) {
  recent_.erase(std::remove_if(recent_.begin(), recent_.end(), [&](time_point t) { return now - t >= restart_window; }),
                recent_.end());
  if (recent_.size() >= restarts_allowed) return false;
  recent_.push_back(now);
  return true;
}

handler_guard::handler_guard(caf::scheduled_actor& self, environment_ptr env, std::string component,
                             std::function<void()> restart)
    : self_(self), env_(std::move(env)), component_(std::move(component)), restart_(std::move(restart)) {}

caf::error handler_guard::contain() {
  const auto type = exception_type();
  auto answer = to_error(internal_failure(component_, type));
  bool go_on = budget_.note(env_->clock->now());
  if (go_on && restart_) {
    try {
      restart_();
    } catch (...) {
      go_on = false;
    }
  }
  const char* const then = !go_on ? "ending" : restart_ ? "restarted in place" : "it goes on with the next message";
  env_->log->write(log_level::error, component_, std::string{"a handler failed; "} + then, {{"exception", type}});
  if (!go_on) self_.quit(answer);
  return answer;
}

}  // namespace understudy
