// The functions of understudy.h that call a client: arguments are checked here, and no exception gets beyond.
#include "understudy/runtime/c_interface/c_client.hpp"

#include "understudy/messages/dn.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/messages/host_and_port.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/client/failures.hpp"

#include <cstring>

using namespace understudy;
using namespace understudy::internal;

namespace {

/// After everything was stopped nothing is under way but what another thread is just about to hand over.
constexpr seconds last_words{10};

std::size_t most_tickets(const settings& all) { return static_cast<std::size_t>(all.limits.max_requests); }

/// An argument that cannot be meant.
struct bad_argument {
  std::string what;
};

duration span_of(std::int64_t timeout_ms) noexcept {
  constexpr auto longest = std::chrono::duration_cast<milliseconds>(longest_wait).count();
  if (timeout_ms < 0) return duration{-1};
  return milliseconds{std::min<std::int64_t>(timeout_ms, longest)};
}

std::string_view text_of(const char* text, std::size_t length, const char* name) {
  if (length > UNDERSTUDY_LONGEST_NAME)
    throw bad_argument{std::string{name} + ": longer than " + std::to_string(UNDERSTUDY_LONGEST_NAME) + " bytes"};
  if (text == nullptr && length != 0) throw bad_argument{std::string{name} + ": a null pointer with a length"};
  return {text, length};
}

template <class T>
T* required(T* pointer, const char* name) {
  if (pointer == nullptr) throw bad_argument{std::string{name} + ": a null pointer"};
  return pointer;
}

std::vector<std::string> attributes_of(const char* const* attributes, std::size_t count) {
  if (count > UNDERSTUDY_MOST_ATTRIBUTES)
    throw bad_argument{"attributes: more than " + std::to_string(UNDERSTUDY_MOST_ATTRIBUTES)};
  if (count != 0) required(attributes, "attributes");
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) all.emplace_back(required(attributes[i], "attributes"));
  return all;
}

search_request search_of(const char* base, int scope, const char* filter, const char* const* attributes,
                         std::size_t attribute_count, std::int32_t size_limit) {
  if (scope < UNDERSTUDY_SCOPE_BASE || scope > UNDERSTUDY_SCOPE_CHILDREN)
    throw bad_argument{"scope: " + std::to_string(scope) + " is none"};
  if (size_limit < 0) throw bad_argument{"size_limit: less than 0"};
  search_request made;
  made.base = required(base, "base");
  made.scope = static_cast<search_scope>(scope);
  made.filter = required(filter, "filter");
  made.attributes = attributes_of(attributes, attribute_count);
  made.size_limit = size_limit;
  return made;
}

attribute attribute_of(const understudy_attribute& given) {
  attribute made{required(given.name, "name of an attribute"), {}};
  if (given.value_count > UNDERSTUDY_MOST_ATTRIBUTES)
    throw bad_argument{"values: more than " + std::to_string(UNDERSTUDY_MOST_ATTRIBUTES)};
  if (given.value_count != 0) required(given.values, "values");
  made.values.reserve(given.value_count);  // one that grows leaves its bytes behind
  for (std::size_t i = 0; i < given.value_count; ++i) {
    const auto* const value = required(given.values[i], "values");
    const auto length = given.lengths != nullptr ? given.lengths[i] : std::strlen(value);
    if (length > UNDERSTUDY_LONGEST_VALUE)
      throw bad_argument{"values: one longer than " + std::to_string(UNDERSTUDY_LONGEST_VALUE) + " bytes"};
    made.values.emplace_back(value, length);
  }
  return made;
}

std::size_t count_of(const void* items, std::size_t count, const char* name) {
  if (count > UNDERSTUDY_MOST_ATTRIBUTES)
    throw bad_argument{std::string{name} + ": more than " + std::to_string(UNDERSTUDY_MOST_ATTRIBUTES)};
  if (count != 0) required(items, name);
  return count;
}

request_ptr add_of(const char* dn, const understudy_attribute* attributes, std::size_t count) {
  add_request made{required(dn, "dn"), {}};
  for (std::size_t i = 0; i < count_of(attributes, count, "attributes"); ++i)
    made.attributes.push_back(attribute_of(attributes[i]));
  return make_request(std::move(made));
}

request_ptr modify_of(const char* dn, const understudy_modification* changes, std::size_t count) {
  modify_request made{required(dn, "dn"), {}};
  for (std::size_t i = 0; i < count_of(changes, count, "changes"); ++i) {
    if (changes[i].change < UNDERSTUDY_CHANGE_ADD || changes[i].change > UNDERSTUDY_CHANGE_INCREMENT)
      throw bad_argument{"change: " + std::to_string(changes[i].change) + " is none"};
    made.changes.push_back({static_cast<modification::kind>(changes[i].change), attribute_of(changes[i].attribute)});
  }
  return make_request(std::move(made));
}

request_ptr rename_of(const char* dn, const char* new_rdn, int delete_old_rdn, const char* new_superior) {
  modify_dn_request made{required(dn, "dn"), required(new_rdn, "new_rdn"), delete_old_rdn != 0, {}};
  if (new_superior != nullptr) made.new_superior = new_superior;
  return make_request(std::move(made));
}

/// Null: none is given.
secret secret_of(const char* password, std::size_t length, const char* name) {
  const auto text = text_of(password, length, name);
  return password != nullptr ? secret{text} : secret{};
}

password_method method_of(int method) {
  if (method < UNDERSTUDY_PASSWORD_EXTENDED || method > UNDERSTUDY_PASSWORD_USER_PASSWORD)
    throw bad_argument{"method: " + std::to_string(method) + " is none"};
  return static_cast<password_method>(method);
}

/// "host:port", as the places of referrals are written.
std::string server_of(const char* server) {
  const std::string_view given = required(server, "server");
  std::string problem;
  const auto place = parse_host_and_port(text_of(given.data(), given.size(), "server"), problem);
  if (!place || place->port == 0) throw bad_argument{"server: not HOST:PORT " + problem};
  return to_string(*place);
}

std::string lines_of(const std::vector<config_problem>& problems) {
  std::string all;
  for (const auto& each : problems) all += (all.empty() ? "" : "\n") + describe(each);
  return all;
}

/// Runs `call`, which fills the result that it is given. Every exception becomes a status. `*to`: the result, unless
/// memory ran out or nobody wants it; with `only_failures` that of a call that was not begun alone.
template <class Call>
understudy_status guarded(understudy_result** to, bool only_failures, Call call) noexcept {
  if (to != nullptr) *to = nullptr;
  std::unique_ptr<understudy_result> made(new (std::nothrow) understudy_result);
  if (!made) return UNDERSTUDY_OUT_OF_MEMORY;
  try {
    try {
      call(*made);
    } catch (const bad_argument& e) {
      made->refuse(UNDERSTUDY_BAD_ARGUMENT, e.what);
    } catch (const ldap_exception& e) {
      made->fail(make_failure(e.reason()));
    } catch (const config_error& e) {
      made->refuse(UNDERSTUDY_INVALID_CONFIG, lines_of(e.problems()));
    } catch (const std::bad_alloc&) {
      return UNDERSTUDY_OUT_OF_MEMORY;
    } catch (const std::system_error& e) {
      made->refuse(UNDERSTUDY_LOCAL_RESOURCES, e.what());
    } catch (const std::exception& e) {
      made->refuse(UNDERSTUDY_INTERNAL_ERROR, e.what());
    }
  } catch (...) {
    return UNDERSTUDY_OUT_OF_MEMORY;
  }
  const auto status = made->status;
  if (to != nullptr && !(only_failures && status == UNDERSTUDY_OK)) *to = made.release();
  return status;
}

/// Why nothing can be asked of that client; UNDERSTUDY_OK when it can. Must not touch the locks of another process'.
understudy_status usable(const understudy_client* client) noexcept {
  if (client == nullptr) return UNDERSTUDY_BAD_ARGUMENT;
  return client->here() ? UNDERSTUDY_OK : UNDERSTUDY_STOPPED;
}

failure_ptr client_stopped() {
  return make_failure(errc::stopped, stage::queue, "this client was stopped; make another one");
}

/// The client; throws when nothing can be begun with it.
understudy_client& require_going(understudy_client* client) {
  required(client, "client");
  if (!client->here()) throw_failure(forked_process());
  if (client->stopped()) throw_failure(client_stopped());
  return *client;
}

/// Has `begin` start a request, whose outcome is told to the completion that it is given, with a source of cancels.
template <class Begin>
understudy_status submit(understudy_client* client, void* context, std::uint64_t* ticket, understudy_result** refusal,
                         Begin begin) noexcept {
  if (ticket != nullptr) *ticket = 0;
  const auto status = guarded(refusal, true, [&](understudy_result& why) {
    auto& mine = require_going(client);
    std::uint64_t number = 0;
    std::shared_ptr<cancel_source> cancel;
    // What it asks is made before there is a ticket.
    auto start = begin(mine);
    switch (mine.tickets()->open(context, ticket, number, cancel)) {
      case UNDERSTUDY_OK:
        break;
      case UNDERSTUDY_STOPPED:
        throw_failure(client_stopped());
      default:
        throw_failure(make_failure(errc::queue_full, stage::queue,
                                   "limits.max_requests completions are under way or wait to be fetched: call "
                                   "understudy_completion_next()"));
    }
    try {
      start(std::make_shared<pending_completion>(mine.tickets(), number), cancel.get());
    } catch (...) {
      // Told already: what was thrown came too late to matter.
      if (mine.tickets()->withdraw(number)) throw;
    }
    why.status = UNDERSTUDY_OK;
  });
  if (status != UNDERSTUDY_OK && ticket != nullptr) *ticket = 0;
  return status;
}

/// Tells `to` what came of it.
template <class Result>
std::function<void(Result)> teller(std::shared_ptr<pending_completion> to) {
  return [to = std::move(to)](Result all) { to->tell(std::move(all)); };
}

login_options options_of(std::int64_t timeout_ms, cancel_source* cancel, std::vector<std::string> attributes = {}) {
  login_options options;
  options.timeout = span_of(timeout_ms);
  options.cancel = cancel;
  options.attributes = std::move(attributes);
  return options;
}

call_options call_options_of(std::int64_t timeout_ms, cancel_source* cancel) {
  call_options options;
  options.timeout = span_of(timeout_ms);
  options.cancel = cancel;
  return options;
}

/// Waits for what comes of the request that `make` makes.
template <class Make>
understudy_status write_now(understudy_client* client, std::int64_t timeout_ms, understudy_result** result,
                            Make make) noexcept {
  return guarded(result, false, [&](understudy_result& made) {
    auto& directory = require_going(client).directory();
    made.fill(directory.perform(make(), call_options_of(timeout_ms, nullptr)));
  });
}

/// The same, begun.
template <class Make>
understudy_status write_later(understudy_client* client, std::int64_t timeout_ms, void* context, std::uint64_t* ticket,
                              understudy_result** refusal, Make make) noexcept {
  return submit(client, context, ticket, refusal, [&](understudy_client& mine) {
    return [&directory = mine.directory(), order = make(), timeout_ms](std::shared_ptr<pending_completion> to,
                                                                       cancel_source* cancel) mutable {
      directory.start(std::move(order), teller<outcome>(std::move(to)), call_options_of(timeout_ms, cancel));
    };
  });
}

/// Makes the client of what was loaded.
void make_client(load_result loaded, understudy_client** client, understudy_result& result) {
  if (!loaded.ok()) throw config_error(std::move(loaded.problems));
  auto made = std::make_unique<understudy_client>(std::move(loaded.value));
  result.refuse(UNDERSTUDY_OK, lines_of(loaded.warnings));
  *client = made.release();
}

std::size_t escaped(std::string (*escape)(std::string_view), const char* value, std::size_t length, char* to,
                    std::size_t size) noexcept {
  if (to == nullptr && size != 0) return SIZE_MAX;
  if (size != 0) *to = '\0';
  try {
    const auto text = escape(text_of(value, length, "value"));
    if (text.size() < size) std::memcpy(to, text.c_str(), text.size() + 1);
    return text.size();
  } catch (...) {
    return SIZE_MAX;
  }
}

}  // namespace

understudy_client::understudy_client(settings all)
    : how_(all.authenticator),
      tickets_(std::make_shared<completion_queue>(most_tickets(all))),
      manager_(std::move(all)) {}

authenticator& understudy_client::users() {
  const std::lock_guard lock{users_guard_};
  if (!users_)
    users_ =
        std::make_unique<authenticator>(manager_, how_, [this](const std::string& server) { return referred(server); });
  return *users_;
}

void understudy_client::refer(std::string server, understudy_client& other) {
  server = ascii_lower(server);
  const std::lock_guard lock{referrals_guard_};
  if (referrals_.size() >= UNDERSTUDY_MOST_REFERRALS && referrals_.count(server) == 0)
    throw bad_argument{"server: more than " + std::to_string(UNDERSTUDY_MOST_REFERRALS)};
  referrals_[std::move(server)] = &other.manager_;
}

directory* understudy_client::referred(const std::string& server) const {
  const auto name = ascii_lower(server);
  const std::lock_guard lock{referrals_guard_};
  const auto found = referrals_.find(name);
  return found != referrals_.end() ? found->second : nullptr;
}

connection_result understudy_client::connect(duration timeout) {
  auto result = manager_.connect(timeout);
  // Stopped meanwhile, it may have been started again.
  if (stopped_) manager_.disconnect();
  return result;
}

bool understudy_client::stop() {
  stopped_ = true;
  tickets_->close();
  manager_.disconnect();
  // What waits for another client's directory, which goes on. Again and again: a login that is between two of its
  // requests takes no notice of one.
  for (const auto end = std::chrono::steady_clock::now() + last_words; std::chrono::steady_clock::now() < end;) {
    tickets_->cancel_all();
    if (tickets_->wait_until_told(milliseconds{100})) return true;
  }
  return false;
}

// ---- understudy.h ----

int understudy_c_interface(void) { return UNDERSTUDY_C_INTERFACE; }
const char* understudy_library_version(void) { return UNDERSTUDY_VERSION; }

understudy_status understudy_client_new(const char* toml, const char* name, understudy_client** client,
                                        understudy_result** result) {
  if (client != nullptr) *client = nullptr;
  return guarded(result, false, [&](understudy_result& made) {
    required(client, "client");
    make_client(load_toml(required(toml, "toml"), name != nullptr ? name : "configuration"), client, made);
  });
}

understudy_status understudy_client_new_from_file(const char* path, understudy_client** client,
                                                  understudy_result** result) {
  if (client != nullptr) *client = nullptr;
  return guarded(result, false, [&](understudy_result& made) {
    required(client, "client");
    make_client(load_file(required(path, "path")), client, made);
  });
}

understudy_status understudy_client_connect(understudy_client* client, int64_t timeout_ms, understudy_result** result) {
  return guarded(result, false, [&](understudy_result& made) {
    made.fill(require_going(client).connect(timeout_ms == 0 ? duration::max() : span_of(timeout_ms)));
  });
}

understudy_status understudy_client_refer(understudy_client* client, const char* server, understudy_client* other) {
  if (const auto status = usable(client); status != UNDERSTUDY_OK) return status;
  if (const auto status = usable(other); status != UNDERSTUDY_OK) return status;
  return guarded(nullptr, false, [&](understudy_result& made) {
    if (client == other) throw bad_argument{"other: the client itself"};
    require_going(client).refer(server_of(server), *other);
    made.status = UNDERSTUDY_OK;
  });
}

understudy_status understudy_client_stop(understudy_client* client) {
  if (const auto status = usable(client); status != UNDERSTUDY_OK) return status;
  return guarded(nullptr, false, [&](understudy_result& made) {
    made.status = client->stop() ? UNDERSTUDY_OK : UNDERSTUDY_INTERNAL_ERROR;
  });
}

void understudy_client_free(understudy_client* client) {
  if (client == nullptr) return;
  if (!client->here()) {
    // What threads of the parent's may have held locked is left as it is.
    ::close(client->tickets()->fd());
    return;
  }
  // What is still under way uses the rest: a defect of ours, better left in memory.
  if (understudy_client_stop(client) == UNDERSTUDY_OK) delete client;
}

understudy_status understudy_authenticate(understudy_client* client, const char* user, size_t user_length,
                                          const char* password, size_t password_length, int64_t timeout_ms,
                                          understudy_result** result) {
  return guarded(result, false, [&](understudy_result& made) {
    auto& users = require_going(client).users();
    made.fill(users.authenticate(std::string{text_of(user, user_length, "user")},
                                 secret{text_of(password, password_length, "password")},
                                 options_of(timeout_ms, nullptr)));
  });
}

understudy_status understudy_lookup(understudy_client* client, const char* user, size_t user_length,
                                    const char* const* attributes, size_t attribute_count, int64_t timeout_ms,
                                    understudy_result** result) {
  return guarded(result, false, [&](understudy_result& made) {
    auto& users = require_going(client).users();
    made.fill(users.lookup(std::string{text_of(user, user_length, "user")},
                           options_of(timeout_ms, nullptr, attributes_of(attributes, attribute_count))));
  });
}

understudy_status understudy_groups(understudy_client* client, const char* user, size_t user_length, int64_t timeout_ms,
                                    understudy_result** result) {
  return guarded(result, false, [&](understudy_result& made) {
    auto& users = require_going(client).users();
    made.fill(users.groups(std::string{text_of(user, user_length, "user")}, {}, options_of(timeout_ms, nullptr)));
  });
}

understudy_status understudy_search(understudy_client* client, const char* base, int scope, const char* filter,
                                    const char* const* attributes, size_t attribute_count, int32_t size_limit,
                                    int64_t timeout_ms, understudy_result** result) {
  return guarded(result, false, [&](understudy_result& made) {
    auto& directory = require_going(client).directory();
    call_options options;
    options.timeout = span_of(timeout_ms);
    made.fill(directory.try_search(search_of(base, scope, filter, attributes, attribute_count, size_limit), options));
  });
}

understudy_status understudy_add(understudy_client* client, const char* dn, const understudy_attribute* attributes,
                                 size_t attribute_count, int64_t timeout_ms, understudy_result** result) {
  return write_now(client, timeout_ms, result, [&] { return add_of(dn, attributes, attribute_count); });
}

understudy_status understudy_modify(understudy_client* client, const char* dn, const understudy_modification* changes,
                                    size_t change_count, int64_t timeout_ms, understudy_result** result) {
  return write_now(client, timeout_ms, result, [&] { return modify_of(dn, changes, change_count); });
}

understudy_status understudy_delete(understudy_client* client, const char* dn, int64_t timeout_ms,
                                    understudy_result** result) {
  return write_now(client, timeout_ms, result, [&] { return make_request(delete_request{required(dn, "dn")}); });
}

understudy_status understudy_rename(understudy_client* client, const char* dn, const char* new_rdn, int delete_old_rdn,
                                    const char* new_superior, int64_t timeout_ms, understudy_result** result) {
  return write_now(client, timeout_ms, result, [&] { return rename_of(dn, new_rdn, delete_old_rdn, new_superior); });
}

understudy_status understudy_change_password(understudy_client* client, const char* user, size_t user_length,
                                             const char* old_password, size_t old_length, const char* new_password,
                                             size_t new_length, int method, int64_t timeout_ms,
                                             understudy_result** result) {
  return guarded(result, false, [&](understudy_result& made) {
    auto& users = require_going(client).users();
    made.fill(users.change_password(
        std::string{text_of(user, user_length, "user")}, secret_of(old_password, old_length, "old_password"),
        secret_of(new_password, new_length, "new_password"), method_of(method), options_of(timeout_ms, nullptr)));
  });
}

understudy_status understudy_forget(understudy_client* client, const char* user, size_t user_length) {
  return guarded(nullptr, false, [&](understudy_result& made) {
    auto& users = require_going(client).users();
    const auto name = text_of(user, user_length, "user");
    if (user == nullptr)
      users.forget_all();
    else
      users.forget(std::string{name});
    made.status = UNDERSTUDY_OK;
  });
}

understudy_status understudy_submit_authenticate(understudy_client* client, const char* user, size_t user_length,
                                                 const char* password, size_t password_length, int64_t timeout_ms,
                                                 void* context, uint64_t* ticket, understudy_result** refusal) {
  return submit(client, context, ticket, refusal, [&](understudy_client& mine) {
    return [&users = mine.users(), name = std::string{text_of(user, user_length, "user")},
            given = secret{text_of(password, password_length, "password")},
            timeout_ms](std::shared_ptr<pending_completion> to, cancel_source* cancel) mutable {
      users.async_authenticate(std::move(name), std::move(given), teller<login_result>(std::move(to)),
                               options_of(timeout_ms, cancel));
    };
  });
}

understudy_status understudy_submit_lookup(understudy_client* client, const char* user, size_t user_length,
                                           const char* const* attributes, size_t attribute_count, int64_t timeout_ms,
                                           void* context, uint64_t* ticket, understudy_result** refusal) {
  return submit(client, context, ticket, refusal, [&](understudy_client& mine) {
    return [&users = mine.users(), name = std::string{text_of(user, user_length, "user")},
            wanted = attributes_of(attributes, attribute_count),
            timeout_ms](std::shared_ptr<pending_completion> to, cancel_source* cancel) mutable {
      users.async_lookup(std::move(name), teller<lookup_result>(std::move(to)),
                         options_of(timeout_ms, cancel, std::move(wanted)));
    };
  });
}

understudy_status understudy_submit_groups(understudy_client* client, const char* user, size_t user_length,
                                           int64_t timeout_ms, void* context, uint64_t* ticket,
                                           understudy_result** refusal) {
  return submit(client, context, ticket, refusal, [&](understudy_client& mine) {
    return [&users = mine.users(), name = std::string{text_of(user, user_length, "user")}, timeout_ms](
               std::shared_ptr<pending_completion> to, cancel_source* cancel) mutable {
      users.async_groups(std::move(name), teller<group_result>(std::move(to)), {}, options_of(timeout_ms, cancel));
    };
  });
}

understudy_status understudy_submit_search(understudy_client* client, const char* base, int scope, const char* filter,
                                           const char* const* attributes, size_t attribute_count, int32_t size_limit,
                                           int64_t timeout_ms, void* context, uint64_t* ticket,
                                           understudy_result** refusal) {
  return submit(client, context, ticket, refusal, [&](understudy_client& mine) {
    return [&directory = mine.directory(),
            wanted = search_of(base, scope, filter, attributes, attribute_count, size_limit),
            timeout_ms](std::shared_ptr<pending_completion> to, cancel_source* cancel) mutable {
      call_options options;
      options.timeout = span_of(timeout_ms);
      options.cancel = cancel;
      directory.async_search(std::move(wanted), teller<outcome>(std::move(to)), options);
    };
  });
}

understudy_status understudy_submit_add(understudy_client* client, const char* dn,
                                        const understudy_attribute* attributes, size_t attribute_count,
                                        int64_t timeout_ms, void* context, uint64_t* ticket,
                                        understudy_result** refusal) {
  return write_later(client, timeout_ms, context, ticket, refusal,
                     [&] { return add_of(dn, attributes, attribute_count); });
}

understudy_status understudy_submit_modify(understudy_client* client, const char* dn,
                                           const understudy_modification* changes, size_t change_count,
                                           int64_t timeout_ms, void* context, uint64_t* ticket,
                                           understudy_result** refusal) {
  return write_later(client, timeout_ms, context, ticket, refusal,
                     [&] { return modify_of(dn, changes, change_count); });
}

understudy_status understudy_submit_delete(understudy_client* client, const char* dn, int64_t timeout_ms, void* context,
                                           uint64_t* ticket, understudy_result** refusal) {
  return write_later(client, timeout_ms, context, ticket, refusal,
                     [&] { return make_request(delete_request{required(dn, "dn")}); });
}

understudy_status understudy_submit_rename(understudy_client* client, const char* dn, const char* new_rdn,
                                           int delete_old_rdn, const char* new_superior, int64_t timeout_ms,
                                           void* context, uint64_t* ticket, understudy_result** refusal) {
  return write_later(client, timeout_ms, context, ticket, refusal,
                     [&] { return rename_of(dn, new_rdn, delete_old_rdn, new_superior); });
}

understudy_status understudy_submit_change_password(understudy_client* client, const char* user, size_t user_length,
                                                    const char* old_password, size_t old_length,
                                                    const char* new_password, size_t new_length, int method,
                                                    int64_t timeout_ms, void* context, uint64_t* ticket,
                                                    understudy_result** refusal) {
  return submit(client, context, ticket, refusal, [&](understudy_client& mine) {
    return [&users = mine.users(), name = std::string{text_of(user, user_length, "user")},
            former = secret_of(old_password, old_length, "old_password"),
            next = secret_of(new_password, new_length, "new_password"), by = method_of(method),
            timeout_ms](std::shared_ptr<pending_completion> to, cancel_source* cancel) mutable {
      users.async_change_password(std::move(name), std::move(former), std::move(next),
                                  teller<password_change_result>(std::move(to)), by, options_of(timeout_ms, cancel));
    };
  });
}

int understudy_completion_fd(const understudy_client* client) {
  return usable(client) == UNDERSTUDY_OK ? client->tickets()->fd() : -1;
}

understudy_status understudy_completion_next(understudy_client* client, uint64_t* ticket, void** context,
                                             understudy_result** result) {
  if (ticket != nullptr) *ticket = 0;
  if (context != nullptr) *context = nullptr;
  if (result != nullptr) *result = nullptr;
  if (const auto status = usable(client); status != UNDERSTUDY_OK) return status;
  auto fetched = client->tickets()->next();
  if (!fetched) return UNDERSTUDY_NO_COMPLETION;
  if (ticket != nullptr) *ticket = fetched->ticket;
  if (context != nullptr) *context = fetched->context;
  if (result != nullptr) *result = fetched->result.release();
  return UNDERSTUDY_OK;
}

size_t understudy_ticket_count(const understudy_client* client) {
  return usable(client) == UNDERSTUDY_OK ? client->tickets()->size() : 0;
}

understudy_status understudy_cancel(understudy_client* client, uint64_t ticket) {
  if (const auto status = usable(client); status != UNDERSTUDY_OK) return status;
  return guarded(nullptr, false, [&](understudy_result& made) {
    made.status = client->tickets()->cancel(ticket) ? UNDERSTUDY_OK : UNDERSTUDY_NO_SUCH_TICKET;
  });
}

size_t understudy_filter_escape(const char* value, size_t length, char* to, size_t size) {
  return escaped(&filter::escape, value, length, to, size);
}

size_t understudy_dn_escape(const char* value, size_t length, char* to, size_t size) {
  return escaped(&dn::escape, value, length, to, size);
}

void understudy_wipe(void* bytes, size_t size) {
  if (bytes != nullptr) ::explicit_bzero(bytes, size);
}
