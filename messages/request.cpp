// What an operation is called, and what may be done with it.
#include "understudy/messages/request.hpp"

#include "understudy/messages/printable.hpp"

namespace understudy {
namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

constexpr std::size_t longest_name = 200;

std::string quoted(const std::string& name) { return "\"" + internal::shortened(name, longest_name) + "\""; }

/// The name of what an operation is about; empty when it is about nothing that has one.
struct subject {
  std::string operator()(const search_request& x) const { return x.base.empty() ? "the root DSE" : quoted(x.base); }
  std::string operator()(const bind_request& x) const { return quoted(x.dn); }
  std::string operator()(const extended_request& x) const { return quoted(x.oid); }
  std::string operator()(const whoami_request&) const { return {}; }
  std::string operator()(const opaque_request&) const { return {}; }
  std::string operator()(const password_modify_request& x) const {
    return x.user_identity ? quoted(*x.user_identity) : std::string{};
  }
  template <class Change>
  std::string operator()(const Change& x) const {
    return quoted(x.dn);
  }
};

/// Who-am-i (RFC 4532) as everybody writes it. What means the same in a longer form is taken for any other extension.
bool asks_who_am_i(const opaque_request& asked) noexcept {
  constexpr std::string_view usual{
      "\x77\x19\x80\x17"
      "1.3.6.1.4.1.4203.1.11.3"};
  return asked.protocol_op == usual;
}

bool only_reads(const opaque_request& asked) noexcept {
  return asked.tag() == opaque_request::search || asked.tag() == opaque_request::compare || asks_who_am_i(asked);
}

std::string_view opaque_name(std::uint8_t tag) noexcept {
  switch (tag) {
    case opaque_request::search:
      return "relayed search";
    case opaque_request::compare:
      return "relayed compare";
    case opaque_request::add:
      return "relayed add";
    case opaque_request::modify:
      return "relayed modify";
    case opaque_request::remove:
      return "relayed delete";
    case opaque_request::modify_dn:
      return "relayed modify DN";
    case 0x60:  // a step of a SASL bind
      return "relayed bind";
    default:
      return "relayed operation";
  }
}

/// Overwrites the values of an operation.
struct value_wiper {
  void operator()(add_request& x) const noexcept {
    for (auto& added : x.attributes) all_of(added.values);
  }
  void operator()(modify_request& x) const noexcept {
    for (auto& change : x.changes) all_of(change.target.values);
  }
  void operator()(compare_request& x) const noexcept { internal::wipe(x.value); }
  void operator()(extended_request& x) const noexcept {
    if (x.value) internal::wipe(*x.value);
  }
  void operator()(opaque_request& x) const noexcept { internal::wipe(x.protocol_op); }
  template <class Other>
  void operator()(const Other&) const noexcept {}

 private:
  static void all_of(std::vector<std::string>& values) noexcept {
    for (auto& value : values) internal::wipe(value);
  }
};

struct wiped_request : request {
  explicit wiped_request(request&& made) noexcept : request(std::move(made)) {}
  wiped_request(const wiped_request&) = delete;
  wiped_request& operator=(const wiped_request&) = delete;
  ~wiped_request() { std::visit(value_wiper{}, op); }
};

}  // namespace

bool may_carry_password(const any_operation& op) noexcept {
  return std::visit([](const auto& x) { return understudy::may_carry_password(x); }, op);
}

request_ptr make_wiped_request(request made) { return std::make_shared<wiped_request>(std::move(made)); }

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
                               [](const password_modify_request&) -> std::string_view { return "password modify"; },
                               [](const opaque_request& x) { return opaque_name(x.tag()); }},
                    op);
}

std::string describe(const any_operation& op) {
  const auto about = std::visit(subject{}, op);
  return std::string{operation_name(op)} + (about.empty() ? "" : " of " + about);
}

bool safe_to_repeat(const any_operation& op) noexcept {
  return std::visit(
      overloaded{[](const search_request&) { return true; }, [](const compare_request&) { return true; },
                 [](const whoami_request&) { return true; }, [](const extended_request& x) { return x.repeatable; },
                 [](const opaque_request& x) { return only_reads(x); }, [](const auto&) { return false; }},
      op);
}

bool is_write(const any_operation& op) noexcept {
  return std::visit(
      overloaded{[](const add_request&) { return true; }, [](const modify_request&) { return true; },
                 [](const delete_request&) { return true; }, [](const modify_dn_request&) { return true; },
                 [](const password_modify_request&) { return true; },
                 [](const opaque_request& x) { return !only_reads(x); },
                 // Nobody but the caller knows what an extended operation does.
                 [](const extended_request& x) { return !x.repeatable; }, [](const auto&) { return false; }},
      op);
}

}  // namespace understudy
