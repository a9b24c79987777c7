// Outcomes to statuses, and the functions of understudy.h that read a result.
#include "understudy/runtime/c_interface/c_result.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/messages/text.hpp"

using namespace understudy;
using namespace understudy::internal;

namespace understudy::internal {

understudy_status status_of(errc code) noexcept {
  switch (code) {
    case errc::none:
      return UNDERSTUDY_OK;
    case errc::pool_exhausted:
      return UNDERSTUDY_POOL_EXHAUSTED;
    case errc::pool_timeout:
      return UNDERSTUDY_POOL_TIMEOUT;
    case errc::queue_full:
      return UNDERSTUDY_QUEUE_FULL;
    case errc::no_server:
      return UNDERSTUDY_NO_SERVER;
    case errc::breaker_open:
      return UNDERSTUDY_BREAKER_OPEN;
    case errc::connection_timeout:
      return UNDERSTUDY_CONNECTION_TIMEOUT;
    case errc::connection_failed:
      return UNDERSTUDY_CONNECTION_FAILED;
    case errc::local_resources:
      return UNDERSTUDY_LOCAL_RESOURCES;
    case errc::authentication_failed:
      return UNDERSTUDY_AUTHENTICATION_FAILED;
    case errc::service_authentication_failed:
      return UNDERSTUDY_SERVICE_AUTHENTICATION_FAILED;
    case errc::ssl_error:
      return UNDERSTUDY_TLS_ERROR;
    case errc::operation_timeout:
      return UNDERSTUDY_OPERATION_TIMEOUT;
    case errc::outcome_unknown:
      return UNDERSTUDY_OUTCOME_UNKNOWN;
    case errc::connection_unhealthy:
      return UNDERSTUDY_CONNECTION_UNHEALTHY;
    case errc::draining:
      return UNDERSTUDY_DRAINING;
    case errc::cancelled:
      return UNDERSTUDY_CANCELLED;
    case errc::ldap_error:
      return UNDERSTUDY_LDAP_ERROR;
    case errc::result_too_large:
      return UNDERSTUDY_RESULT_TOO_LARGE;
    case errc::invalid_request:
      return UNDERSTUDY_INVALID_REQUEST;
    case errc::invalid_config:
      return UNDERSTUDY_INVALID_CONFIG;
    case errc::invalid_lease:
      return UNDERSTUDY_INVALID_LEASE;
    case errc::stopped:
      return UNDERSTUDY_STOPPED;
    case errc::internal:
      return UNDERSTUDY_INTERNAL_ERROR;
  }
  return UNDERSTUDY_INTERNAL_ERROR;
}

understudy_status status_of(login_outcome outcome) noexcept {
  switch (outcome) {
    case login_outcome::ok:
      return UNDERSTUDY_OK;
    case login_outcome::bad_credentials:
      return UNDERSTUDY_BAD_CREDENTIALS;
    case login_outcome::no_such_user:
      return UNDERSTUDY_NO_SUCH_USER;
    case login_outcome::ambiguous:
      return UNDERSTUDY_AMBIGUOUS;
    case login_outcome::password_expired:
      return UNDERSTUDY_PASSWORD_EXPIRED;
    case login_outcome::must_change:
      return UNDERSTUDY_MUST_CHANGE;
    case login_outcome::account_disabled:
      return UNDERSTUDY_ACCOUNT_DISABLED;
    case login_outcome::account_expired:
      return UNDERSTUDY_ACCOUNT_EXPIRED;
    case login_outcome::account_locked:
      return UNDERSTUDY_ACCOUNT_LOCKED;
    case login_outcome::restricted:
      return UNDERSTUDY_RESTRICTED;
    case login_outcome::password_refused:
      return UNDERSTUDY_PASSWORD_REFUSED;
    case login_outcome::unavailable:
      return UNDERSTUDY_UNAVAILABLE;
    case login_outcome::service_identity_rejected:
      return UNDERSTUDY_SERVICE_IDENTITY_REJECTED;
  }
  return UNDERSTUDY_INTERNAL_ERROR;
}

}  // namespace understudy::internal

namespace {

/// The words of public_message(), which are literals and so end with a NUL.
const char* public_words(login_outcome outcome) noexcept { return public_message(outcome).data(); }

/// As the file's rule on texts in understudy.h has it.
const char* text_of(const std::string& text, std::size_t* length) noexcept {
  if (length != nullptr)
    *length = text.size();
  else if (text.find('\0') != std::string::npos)
    return nullptr;
  return text.c_str();
}

const char* no_text(std::size_t* length) noexcept {
  if (length != nullptr) *length = 0;
  return nullptr;
}

template <class T>
const T* at(const std::vector<T>& all, std::size_t index) noexcept {
  return index < all.size() ? &all[index] : nullptr;
}

const entry* entry_at(const understudy_result* of, std::size_t index) noexcept {
  return of != nullptr ? at(of->entries, index) : nullptr;
}

const attribute* attribute_at(const understudy_result* of, std::size_t index, std::size_t number) noexcept {
  const auto* found = entry_at(of, index);
  return found != nullptr ? at(found->attributes, number) : nullptr;
}

const user_group* group_at(const understudy_result* of, std::size_t index) noexcept {
  return of != nullptr ? at(of->groups, index) : nullptr;
}

}  // namespace

understudy_result::understudy_result() noexcept : public_message(public_words(login_outcome::unavailable)) {}

void understudy_result::answer(user_answer&& of_user) {
  public_message = public_words(of_user.outcome);
  retryable = of_user.retryable;
  retry_after = of_user.retry_after;
  if (of_user.failed) ldap_code = of_user.failed->ldap_code;
  message = std::move(of_user.detail);
  status = status_of(of_user.outcome);
}

void understudy_result::fill(login_result&& login) {
  dn = std::move(login.dn);
  server = std::move(login.server);
  password = login.password;
  cached = login.cached;
  answer(std::move(login));
}

void understudy_result::fill(lookup_result&& found) {
  if (found) {
    dn = found.user.dn;
    entries.push_back(std::move(found.user));
  }
  answer(std::move(found));
}

void understudy_result::fill(group_result&& found) {
  dn = std::move(found.dn);
  groups = std::move(found.groups);
  complete = found.complete;
  answer(std::move(found));
}

void understudy_result::fill(password_change_result&& changed) {
  dn = std::move(changed.dn);
  generated = std::move(changed.generated);
  password = changed.policy;
  answer(std::move(changed));
}

void understudy_result::fill(outcome&& searched) {
  if (!searched) {
    fail(searched.error());
    if (const auto& partial = searched.error()->partial) entries = partial->entries;
    complete = false;
    return;
  }
  entries = std::move(searched->entries);
  server = std::move(searched->server);
  status = UNDERSTUDY_OK;
}

void understudy_result::fill(const connection_result& connected) {
  if (!connected.connected)
    return connected.failed ? fail(connected.failed)
                            : refuse(UNDERSTUDY_CONNECTION_FAILED, connected.connection_error + connected.auth_error);
  server = connected.port == 0 ? connected.host : connected.host + ":" + std::to_string(connected.port);
  status = UNDERSTUDY_OK;
}

void understudy_result::fail(const failure_ptr& why) {
  user_answer described;
  describe_failure(why, described);
  server = why->server;
  answer(std::move(described));
  status = status_of(why->code);
}

void understudy_result::refuse(understudy_status as, std::string why) {
  message = std::move(why);
  status = as;
}

void understudy_result::out_of_memory() noexcept {
  message.clear();
  groups.clear();
  entries.clear();
  generated = {};
  complete = false;
  status = UNDERSTUDY_OUT_OF_MEMORY;
}

// ---- understudy.h ----

const char* understudy_status_name(int status) {
  switch (status) {
    case UNDERSTUDY_OK:
      return "ok";
    case UNDERSTUDY_OUT_OF_MEMORY:
      return "out_of_memory";
    case UNDERSTUDY_BAD_ARGUMENT:
      return "bad_argument";
    case UNDERSTUDY_NO_COMPLETION:
      return "no_completion";
    case UNDERSTUDY_NO_SUCH_TICKET:
      return "no_such_ticket";
    default:
      break;
  }
  // Names are literals, which end with a NUL.
  for (int i = 0; i <= static_cast<int>(login_outcome::service_identity_rejected); ++i)
    if (const auto each = static_cast<login_outcome>(i); status_of(each) == status) return to_string(each).data();
  for (std::size_t i = 0; i < errc_count; ++i)
    if (const auto each = static_cast<errc>(i); status_of(each) == status) return to_string(each).data();
  return "unknown";
}

void understudy_result_free(understudy_result* result) { delete result; }

understudy_status understudy_result_status(const understudy_result* result) {
  return result != nullptr ? result->status : UNDERSTUDY_BAD_ARGUMENT;
}

const char* understudy_result_message(const understudy_result* result) {
  return result != nullptr ? result->message.c_str() : "";
}

const char* understudy_result_public_message(const understudy_result* result) {
  return result != nullptr ? result->public_message : public_words(login_outcome::unavailable);
}

int understudy_result_retryable(const understudy_result* result) { return result != nullptr && result->retryable; }

int64_t understudy_result_retry_after_ms(const understudy_result* result) {
  return result != nullptr && result->retry_after ? result->retry_after->count() : -1;
}

int understudy_result_ldap_code(const understudy_result* result) { return result != nullptr ? result->ldap_code : 0; }

const char* understudy_result_server(const understudy_result* result) {
  return result != nullptr ? result->server.c_str() : "";
}

const char* understudy_result_dn(const understudy_result* result, size_t* length) {
  return result != nullptr ? text_of(result->dn, length) : no_text(length);
}

int understudy_result_cached(const understudy_result* result) { return result != nullptr && result->cached; }
int understudy_result_complete(const understudy_result* result) { return result == nullptr || result->complete; }

int64_t understudy_result_password_expires_in_s(const understudy_result* result) {
  return result != nullptr && result->password.expires_in ? result->password.expires_in->count() : -1;
}

int understudy_result_grace_logins(const understudy_result* result) {
  return result != nullptr ? result->password.grace_logins.value_or(-1) : -1;
}

const char* understudy_result_generated_password(const understudy_result* result, size_t* length) {
  if (length == nullptr) return nullptr;
  *length = 0;
  if (result == nullptr || result->generated.empty()) return nullptr;
  const auto made = result->generated.reveal();
  *length = made.size();
  return made.data();
}

size_t understudy_result_group_count(const understudy_result* result) {
  return result != nullptr ? result->groups.size() : 0;
}

const char* understudy_result_group_dn(const understudy_result* result, size_t group, size_t* length) {
  const auto* found = group_at(result, group);
  return found != nullptr ? text_of(found->dn, length) : no_text(length);
}

const char* understudy_result_group_name(const understudy_result* result, size_t group, size_t* length) {
  const auto* found = group_at(result, group);
  return found != nullptr ? text_of(found->name, length) : no_text(length);
}

size_t understudy_result_entry_count(const understudy_result* result) {
  return result != nullptr ? result->entries.size() : 0;
}

const char* understudy_result_entry_dn(const understudy_result* result, size_t entry, size_t* length) {
  const auto* found = entry_at(result, entry);
  return found != nullptr ? text_of(found->dn, length) : no_text(length);
}

size_t understudy_result_attribute_count(const understudy_result* result, size_t entry) {
  const auto* found = entry_at(result, entry);
  return found != nullptr ? found->attributes.size() : 0;
}

const char* understudy_result_attribute_name(const understudy_result* result, size_t entry, size_t attribute,
                                             size_t* length) {
  const auto* found = attribute_at(result, entry, attribute);
  return found != nullptr ? text_of(found->name, length) : no_text(length);
}

size_t understudy_result_value_count(const understudy_result* result, size_t entry, size_t attribute) {
  const auto* found = attribute_at(result, entry, attribute);
  return found != nullptr ? found->values.size() : 0;
}

const char* understudy_result_value(const understudy_result* result, size_t entry, size_t attribute, size_t value,
                                    size_t* length) {
  const auto* found = attribute_at(result, entry, attribute);
  const auto* text = found != nullptr ? at(found->values, value) : nullptr;
  return text != nullptr ? text_of(*text, length) : no_text(length);
}

size_t understudy_result_find_attribute(const understudy_result* result, size_t entry, const char* name) {
  const auto* found = entry_at(result, entry);
  if (found == nullptr || name == nullptr) return SIZE_MAX;
  for (std::size_t i = 0; i < found->attributes.size(); ++i)
    if (same_name(found->attributes[i].name, name)) return i;
  return SIZE_MAX;
}
