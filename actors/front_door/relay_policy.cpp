// Lists of what passes, and the root DSE cut down to them.
#include "understudy/actors/front_door/relay_policy.hpp"

#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/actors/front_door/proxied_authorization.hpp"
#include "understudy/actors/front_door/sasl.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/paged_results.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace understudy::internal {
namespace {

template <std::size_t Size>
bool is_in(const std::array<std::string_view, Size>& list, std::string_view oid) noexcept {
  return std::find(list.begin(), list.end(), oid) != list.end();
}

// Leave nothing behind in a session, whoever is bound there.
constexpr std::array<std::string_view, 19> stateless{
    "2.16.840.1.113730.3.4.2",    // manage DSA IT (RFC 3296)
    "1.2.840.113556.1.4.473",     // server side sorting (RFC 2891)
    "1.3.6.1.4.1.4203.1.10.1",    // subentries (RFC 3672)
    "1.2.826.0.1.3344810.2.3",    // matched values (RFC 3876)
    "1.3.6.1.1.12",               // assertion (RFC 4528)
    "1.3.6.1.1.13.1",             // pre-read (RFC 4527)
    "1.3.6.1.1.13.2",             // post-read (RFC 4527)
    "1.3.6.1.1.22",               // do not use copy (RFC 6171)
    "1.2.840.113556.1.4.805",     // tree delete
    "1.2.840.113556.1.4.1413",    // permissive modify
    "1.2.840.113556.1.4.1339",    // domain scope
    "1.2.840.113556.1.4.417",     // show deleted
    "1.2.840.113556.1.4.801",     // security descriptor flags
    "1.2.840.113556.1.4.529",     // extended DN
    "1.3.6.1.4.1.4203.1.10.2",    // no operation
    "1.3.6.1.4.1.4203.666.5.12",  // relax rules
    "1.3.6.1.4.1.42.2.27.8.5.1",  // password policy
    "1.3.6.1.4.1.42.2.27.9.5.8",  // account usability
    "1.3.6.1.4.1.4203.666.5.2",   // no operation, as OpenLDAP has it
};

// Speak for another identity, or do not end, or are a part of something that is not one operation.
constexpr std::array<std::string_view, 8> refused{
    proxied_authorization_oid,
    "2.16.840.1.113730.3.4.12",  // the same, version 1
    "2.16.840.1.113730.3.4.3",   // persistent search
    "1.3.6.1.4.1.4203.1.9.1.1",  // content synchronization (RFC 4533)
    "2.16.840.1.113730.3.4.9",   // virtual list view
    "1.3.6.1.1.21.2",            // transactions (RFC 5805)
    "1.2.840.113556.1.4.841",    // directory synchronization
    "1.2.840.113556.1.4.528",    // change notification
};

constexpr std::array<std::string_view, 3> passed_extensions{extension::who_am_i, extension::password_modify,
                                                            extension::cancel};

/// Servers take an empty name for none.
bool names_user(const std::optional<std::string_view>& value) noexcept {
  constexpr std::uint8_t user_identity = 0x80;
  if (!value) return false;
  const auto parts = ber_cursor{*value}.element(ber_tag::sequence);
  const auto name = parts ? ber_cursor{*parts}.element(user_identity) : std::nullopt;
  return name && !name->empty();
}

bool passes(const std::string& attribute, const std::string& value, const door_offer& offered) {
  if (same_name(attribute, "supportedControl")) return value == paged_results_oid || is_in(stateless, value);
  if (same_name(attribute, "supportedExtension"))
    return is_in(passed_extensions, value) || (offered.start_tls && value == extension::start_tls);
  if (same_name(attribute, "supportedSASLMechanisms")) return is_relayed_mechanism(value);
  if (same_name(attribute, "supportedLDAPVersion")) return value == "3";
  return true;
}

void cut_down(entry& dse, const door_offer& offered) {
  for (auto& a : dse.attributes) {
    const bool had_some = !a.values.empty();
    a.values.erase(std::remove_if(a.values.begin(), a.values.end(),
                                  [&](const std::string& value) { return !passes(a.name, value, offered); }),
                   a.values.end());
    const bool extensions = same_name(a.name, "supportedExtension") && had_some;
    // Ours whatever the server has.
    const auto offer = [&](std::string_view oid) {
      if (std::find(a.values.begin(), a.values.end(), oid) == a.values.end()) a.values.emplace_back(oid);
    };
    if (extensions) offer(extension::cancel);
    if (extensions && offered.start_tls) offer(extension::start_tls);
    const bool mechanisms = same_name(a.name, "supportedSASLMechanisms") && had_some;
    if (mechanisms && offered.plain) offer(sasl_mechanism::plain);
    if (mechanisms && offered.external) offer(sasl_mechanism::external);
    // An attribute without values is none, unless only names were asked for.
    if (had_some && a.values.empty()) a.name.clear();
  }
  dse.attributes.erase(
      std::remove_if(dse.attributes.begin(), dse.attributes.end(), [](const attribute& a) { return a.name.empty(); }),
      dse.attributes.end());
}

}  // namespace

checked_controls check_controls(std::vector<control> asked, bool own_connection) {
  checked_controls checked;
  for (auto& each : asked) {
    if (is_in(refused, each.oid)) {
      checked.refusal = {result_code::unwilling_to_perform, "The control " + printable(each.oid) +
                                                                " is not passed on: it does not go with connections "
                                                                "that are kept for others."};
      return checked;
    }
    const bool paged = each.oid == paged_results_oid;
    checked.paged = checked.paged || paged;
    if (own_connection || paged || is_in(stateless, each.oid)) {
      checked.passed.push_back(std::move(each));
      continue;
    }
    if (each.critical) {
      checked.refusal = {result_code::unavailable_critical_extension,
                         "The control " + printable(each.oid) + " is not known here, so it is not passed on."};
      return checked;
    }
    checked.changed = true;
  }
  return checked;
}

std::vector<std::string_view> known_controls() {
  std::vector<std::string_view> all{paged_results_oid};
  all.insert(all.end(), stateless.begin(), stateless.end());
  all.insert(all.end(), refused.begin(), refused.end());
  return all;
}

relay_refusal check_extension(const extended_fields& asked, bool own_connection) {
  if (!is_in(passed_extensions, asked.oid))
    return {result_code::unwilling_to_perform,
            "The extended operation " + shortened(printable(asked.oid)) + " is not passed on."};
  if (asked.oid == extension::password_modify && !own_connection && !names_user(asked.value))
    return {result_code::unwilling_to_perform, "This would change the service's own password: name a user."};
  return {};
}

bool reads_root_dse(const search_fields& search) noexcept {
  return search.base.empty() && search.scope == static_cast<std::int64_t>(search_scope::base);
}

std::string as_front_door(std::string_view messages, std::int32_t id, const door_offer& offered) {
  std::string out;
  while (!messages.empty()) {
    const auto frame = frame_pdu(messages, messages.size());
    if (frame.state != pdu_frame::status::complete) break;
    const auto pdu = messages.substr(0, frame.size);
    messages.remove_prefix(frame.size);
    if (frame.op != pdu_op::search_entry) {
      out += pdu;
      continue;
    }
    result read;
    memory_allowance room{std::numeric_limits<std::size_t>::max()};
    if (!decode_search_entry(pdu, read, room)) continue;
    cut_down(read.entries.front(), offered);
    out += encode_entry(id, read.entries.front());
  }
  return out;
}

}  // namespace understudy::internal
