// Failures and controls as fields of a frame.
#include "understudy/actors/node/failure_fields.hpp"

namespace understudy::internal {
namespace {

enum failure_field : std::uint8_t {
  code_field,
  where_field,
  message_field,
  server_field,
  ldap_code_field,
  matched_field,
  diagnostic_field,
  referral_field,
  control_field,
  retry_after_field,
  cause_field,
  cause_code_field,
  cause_at_field,
  pool_field,
};

enum control_part : std::uint8_t { oid_part, critical_part, value_part };

errc code_of(field_reader& in) {
  const auto read = in.integer(0, 255);
  return read < static_cast<std::int64_t>(errc_count) ? static_cast<errc>(read) : errc::internal;
}

bool read_counts(std::string_view bytes, pool_counts& into) {
  field_reader in{bytes};
  const auto take = [&](std::uint8_t number, std::uint32_t& count) {
    if (in.number() == number) count = in.count32();
  };
  while (in.next()) list_pool_counts(take, into);
  return in.good();
}

}  // namespace

void write_control(std::uint8_t number, const control& c, field_writer& to) {
  to.group(number, [&](field_writer& in) {
    in.text(oid_part, c.oid);
    in.flag(critical_part, c.critical);
    if (c.value) in.bytes(value_part, *c.value);
  });
}

bool read_control(std::string_view bytes, control& into) {
  field_reader in{bytes};
  while (in.next()) {
    if (in.number() == oid_part) into.oid = in.text();
    if (in.number() == critical_part) into.critical = in.flag();
    if (in.number() == value_part) into.value = in.text();
  }
  return in.good();
}

void write_failure(const failure& f, field_writer& to) {
  to.number(code_field, static_cast<int>(f.code));
  to.number(where_field, static_cast<int>(f.where));
  to.text(message_field, f.message);
  to.text(server_field, f.server);
  to.number(ldap_code_field, f.ldap_code);
  to.text(matched_field, f.matched_dn);
  to.text(diagnostic_field, f.diagnostic);
  for (const auto& uri : f.referrals) to.bytes(referral_field, uri);
  for (const auto& c : f.controls) write_control(control_field, c, to);
  if (f.retry_after) to.always(retry_after_field, f.retry_after->count());
  to.text(cause_field, f.cause);
  to.number(cause_code_field, static_cast<int>(f.cause_code));
  if (f.cause_at) to.moment(cause_at_field, *f.cause_at);
  if (!f.pool) return;
  to.group(pool_field, [&](field_writer& in) {
    const auto put = [&](std::uint8_t number, std::uint32_t count) { in.number(number, count); };
    list_pool_counts(put, *f.pool);
  });
}

bool read_failure(std::string_view bytes, failure& f) {
  field_reader in{bytes};
  f.code = errc::internal;
  f.where = stage::resolve;
  while (in.next()) {
    switch (in.number()) {
      case code_field:
        f.code = code_of(in);
        break;
      case where_field:
        f.where = in.one_up_to(stage::queue);
        break;
      case message_field:
        f.message = in.text();
        break;
      case server_field:
        f.server = in.text();
        break;
      case ldap_code_field:
        f.ldap_code = static_cast<int>(in.integer(0, INT32_MAX));
        break;
      case matched_field:
        f.matched_dn = in.text();
        break;
      case diagnostic_field:
        f.diagnostic = in.text();
        break;
      case referral_field:
        in.one_more(f.referrals) = in.text();
        break;
      case control_field:
        in.note(read_control(in.content(), in.one_more(f.controls)));
        break;
      case retry_after_field:
        f.retry_after = in.limit();
        break;
      case cause_field:
        f.cause = in.text();
        break;
      case cause_code_field:
        f.cause_code = code_of(in);
        break;
      case cause_at_field:
        f.cause_at = in.moment();
        break;
      case pool_field:
        in.note(read_counts(in.content(), f.pool.emplace()));
        break;
      default:
        break;
    }
  }
  return in.good();
}

}  // namespace understudy::internal
