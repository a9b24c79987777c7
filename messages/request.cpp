// What an operation is called, and what may be done with it.
#include "understudy/messages/request.hpp"

namespace understudy {
namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

}  // namespace

std::string_view operation_name(const any_operation& op) noexcept {
  return std::visit(overloaded{[](const search_request&) -> std::string_view { return "search"; },
                               [](const compare_request&) -> std::string_view { return "compare"; },
                               [](const add_request&) -> std::string_view { return "add"; },
                               [](const modify_request&) -> std::string_view { return "modify"; },
                               [](const delete_request&) -> std::string_view { return "delete"; },
                               [](const modify_dn_request&) -> std::string_view { return "modify DN"; },
                               [](const bind_request&) -> std::string_view { return "bind"; },
                               [](const extended_request&) -> std::string_view { return "extended operation"; },
                               [](const whoami_request&) -> std::string_view { return "who-am-i"; },
                               [](const password_modify_request&) -> std::string_view { return "password modify"; }},
                    op);
}

bool safe_to_repeat(const any_operation& op) noexcept {
  return std::visit(
      overloaded{[](const search_request&) { return true; }, [](const compare_request&) { return true; },
                 [](const whoami_request&) { return true; }, [](const extended_request& x) { return x.repeatable; },
                 [](const auto&) { return false; }},
      op);
}

bool is_write(const any_operation& op) noexcept {
  return std::visit(
      overloaded{[](const add_request&) { return true; }, [](const modify_request&) { return true; },
                 [](const delete_request&) { return true; }, [](const modify_dn_request&) { return true; },
                 [](const password_modify_request&) { return true; },
                 // Nobody but the caller knows what an extended operation does.
                 [](const extended_request& x) { return !x.repeatable; }, [](const auto&) { return false; }},
      op);
}

}  // namespace understudy
