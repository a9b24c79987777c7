/// @file
/// The C interface: logins, look-ups, groups, searches and writes for services in C, and in whatever calls C. C99 and
/// later.
///
/// Rules that hold for all of it (docs/c-interface.md has examples):
///
/// - **Threads.** Every function may be called on any thread, several at a time, with the same client. The exceptions:
///   nothing else may be under way with a client, and nothing may begin, when understudy_client_free() is called; a
///   result belongs to one thread at a time, though several may read it. No function may be called in a signal handler.
///   Nothing calls back into the program.
/// - **Outcomes.** What came of a call is its status and, where it has a `result` parameter, an understudy_result with
///   the details: also of a call that failed, and unless memory ran out, when that is null. `result` may be null for
///   who does not want it. No C++ exception crosses this interface, and none of its functions ends the program.
/// - **Memory.** What a function gives by pointer to pointer is the caller's, to be freed with the `…_free` of its
///   type; texts inside a result live as long as that. What a caller passes is read during the call and not kept.
/// - **Secrets.** A password is passed with its length, copied once, and that copy wiped. The caller's own is left to
///   the caller: understudy_wipe().
/// - **Texts.** UTF-8. What came from the directory may hold NUL bytes: functions that return it have a parameter
///   `length`. It may be null for who wants a C text; then a text with a NUL in it is null, since what would be read is
///   another one.
/// - **Processes.** In a process forked from the client's own, calls with it fail as UNDERSTUDY_STOPPED, the parent's
///   connections stay as they are, and understudy_client_free() closes what is the child's.
/// - **Versions.** Structs are opaque, numbers of enumerators stay; later versions of the library may have more
///   functions and more enumerators, so that a program has to expect a status that it does not know.
#ifndef UNDERSTUDY_H
#define UNDERSTUDY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The version of this interface that this header describes. It grows when something is added.
#define UNDERSTUDY_C_INTERFACE 4
/// The version that the library has which the program runs with: at least the one it was compiled with, or something
/// is wrong with the installation.
int understudy_c_interface(void);
/// The library's version, "0.1.0".
const char* understudy_library_version(void);

/// What came of a call. Below 100: what became of a user's login, look-up or groups; then what keeps requests from
/// being carried out; then what is wrong with the call itself.
typedef enum understudy_status {
  UNDERSTUDY_OK = 0,                 ///< done: the password is right, the search has its result …
  UNDERSTUDY_BAD_CREDENTIALS = 1,    ///< the password is wrong, or empty
  UNDERSTUDY_NO_SUCH_USER = 2,       ///< no entry is found by that name
  UNDERSTUDY_AMBIGUOUS = 3,          ///< several are
  UNDERSTUDY_PASSWORD_EXPIRED = 4,   ///< it has to be changed before anything else
  UNDERSTUDY_MUST_CHANGE = 5,        ///< the password is right, and has to be changed before anything else
  UNDERSTUDY_ACCOUNT_DISABLED = 6,   ///< by an administrator
  UNDERSTUDY_ACCOUNT_EXPIRED = 7,    ///< its time is over
  UNDERSTUDY_ACCOUNT_LOCKED = 8,     ///< after too many wrong passwords
  UNDERSTUDY_RESTRICTED = 9,         ///< not at this time, or not from this machine
  UNDERSTUDY_PASSWORD_REFUSED = 10,  ///< of a change of a password: the new one is not as the directory wants it
  UNDERSTUDY_UNAVAILABLE = 11,       ///< it could not be found out: see understudy_result_retryable()
  UNDERSTUDY_SERVICE_IDENTITY_REJECTED = 12,  ///< the service's own password was refused: nobody's login is wrong

  UNDERSTUDY_POOL_EXHAUSTED = 101,                 ///< every connection is taken
  UNDERSTUDY_POOL_TIMEOUT = 102,                   ///< no connection became free before the deadline
  UNDERSTUDY_QUEUE_FULL = 103,                     ///< too many requests, or tickets whose completions were not fetched
  UNDERSTUDY_NO_SERVER = 104,                      ///< no server can take this request now
  UNDERSTUDY_BREAKER_OPEN = 105,                   ///< the servers that could are held open by their breakers
  UNDERSTUDY_CONNECTION_TIMEOUT = 106,             ///< connecting took too long
  UNDERSTUDY_CONNECTION_FAILED = 107,              ///< refused, reset, closed, or not understood
  UNDERSTUDY_LOCAL_RESOURCES = 108,                ///< this process or machine has no descriptor, port or memory left
  UNDERSTUDY_AUTHENTICATION_FAILED = 109,          ///< a user's credentials were refused
  UNDERSTUDY_SERVICE_AUTHENTICATION_FAILED = 110,  ///< the service's own were: the configuration has to be changed
  UNDERSTUDY_TLS_ERROR = 111,                      ///< TLS failed
  UNDERSTUDY_OPERATION_TIMEOUT = 112,              ///< the deadline passed
  UNDERSTUDY_OUTCOME_UNKNOWN = 113,                ///< a bind or a write was sent and its answer is lost
  UNDERSTUDY_CONNECTION_UNHEALTHY = 114,           ///< a connection broke
  UNDERSTUDY_DRAINING = 115,                       ///< the client (or the server) is stopping and takes nothing new
  UNDERSTUDY_CANCELLED = 116,                      ///< understudy_cancel()
  UNDERSTUDY_LDAP_ERROR = 117,                     ///< the directory said so: see understudy_result_ldap_code()
  UNDERSTUDY_RESULT_TOO_LARGE = 118,               ///< more than `limits.max_result_bytes`
  UNDERSTUDY_INVALID_REQUEST = 119,                ///< a malformed filter …: never sent
  UNDERSTUDY_INVALID_CONFIG = 120,                 ///< the configuration cannot work; the message has every problem
  UNDERSTUDY_INVALID_LEASE = 121,                  ///< not used in this interface
  UNDERSTUDY_STOPPED = 122,         ///< the client was not connected, was stopped, or is of another process
  UNDERSTUDY_INTERNAL_ERROR = 123,  ///< a defect of ours, contained

  UNDERSTUDY_OUT_OF_MEMORY = 201,  ///< nothing was done, or what was done could not be told
  UNDERSTUDY_BAD_ARGUMENT = 202,   ///< a null pointer, or a length beyond its limit; nothing was done
  UNDERSTUDY_NO_COMPLETION = 203,  ///< none waits to be fetched
  UNDERSTUDY_NO_SUCH_TICKET = 204  ///< its completion waits, or was fetched; or there never was one
} understudy_status;

/// "bad_credentials" …: the stable name of an understudy_status, used in logs; "unknown" of other numbers. Never null,
/// lives as long as the program.
const char* understudy_status_name(int status);

/// Longest user name and password, in bytes.
#define UNDERSTUDY_LONGEST_NAME 65536
/// Most attributes that one call may ask for, or write, and most values of each.
#define UNDERSTUDY_MOST_ATTRIBUTES 10000
/// Most servers that understudy_client_refer() takes of one client.
#define UNDERSTUDY_MOST_REFERRALS 1000
/// Longest value that a call may write, in bytes.
#define UNDERSTUDY_LONGEST_VALUE 16777216

/// A client of a directory: its configuration, connections, and the completions that wait to be fetched.
typedef struct understudy_client understudy_client;
/// What came of one call.
typedef struct understudy_result understudy_result;

// ---- A client ----

/// A client with that configuration, as TOML (docs/configuration.md); `name` stands for the file in messages and may be
/// null. Starts nothing yet. UNDERSTUDY_INVALID_CONFIG: the message has every problem, a line each. UNDERSTUDY_OK: it
/// has what works and protects less than it seems to, or is empty.
understudy_status understudy_client_new(const char* toml, const char* name, understudy_client** client,
                                        understudy_result** result);
/// The same with a file: TOML, or JSON when its name ends in ".json".
understudy_status understudy_client_new_from_file(const char* path, understudy_client** client,
                                                  understudy_result** result);
/// Where `[authenticator]` says `referrals = "chase"`: what referrals to `server` lead to is asked of `other` from now
/// on, with that client's identity, TLS and limits; users who are found there are bound as there. `server`:
/// "host:port", as referrals name it; the port of a URI without one is 389, or 636 of ldaps. Said again of the same
/// server, the last word counts for calls that begin later. Of a server in this client's own configuration, the
/// configuration counts. `other`: must live until this client is stopped, is not kept alive, stopped or freed by it,
/// and answers only while it is connected; the same client cannot be meant. It may be of any number of clients and
/// servers, and name this one in turn: of clients that name each other all are stopped before any of them is freed.
/// Any thread, also while calls are under way; sends nothing. UNDERSTUDY_BAD_ARGUMENT: no such name, or more than
/// UNDERSTUDY_MOST_REFERRALS servers. Since version 4 of this interface.
understudy_status understudy_client_refer(understudy_client* client, const char* server, understudy_client* other);
/// Starts the client's threads and waits until one server serves, for `timeout_ms` at the most. 0: until all attempts
/// that the configuration allows have failed. After a failure repair goes on in the background, and calls find the
/// first server that is back; nobody has to call this again.
understudy_status understudy_client_connect(understudy_client* client, int64_t timeout_ms, understudy_result** result);
/// Takes nothing new, lets what runs finish within `limits.drain_timeout`, ends the rest and all threads. What tickets
/// wait for at another client's directory (understudy_client_refer()) has no such time: it is ended as soon as this
/// client's own requests are over. When it returns, the completion of every ticket can be fetched, and nothing is asked
/// of other clients any more. A client that was stopped stays so; stopping it again does nothing.
understudy_status understudy_client_stop(understudy_client* client);
/// Stops it if that was not done, and frees it with the completions that nobody fetched. Null: does nothing.
void understudy_client_free(understudy_client* client);

// ---- Calls that wait. `timeout_ms` covers all of their requests; 0: as the configuration says; negative: over
// ---- already; the longest is a year. ----

/// Whether that is the user's password, as `[authenticator]` says. `user`: the name as it was typed.
understudy_status understudy_authenticate(understudy_client* client, const char* user, size_t user_length,
                                          const char* password, size_t password_length, int64_t timeout_ms,
                                          understudy_result** result);
/// The user's entry, without a password. `attributes`: the names of `attribute_count` of them; none: all but the
/// operational ones. The result has one entry.
understudy_status understudy_lookup(understudy_client* client, const char* user, size_t user_length,
                                    const char* const* attributes, size_t attribute_count, int64_t timeout_ms,
                                    understudy_result** result);
/// The user's groups, as `[authenticator]` says.
understudy_status understudy_groups(understudy_client* client, const char* user, size_t user_length, int64_t timeout_ms,
                                    understudy_result** result);

/// How far below its base a search looks. A parameter is an int, since C lets any number be passed.
typedef enum understudy_scope {
  UNDERSTUDY_SCOPE_BASE = 0,     ///< the entry itself
  UNDERSTUDY_SCOPE_ONE = 1,      ///< its immediate children
  UNDERSTUDY_SCOPE_SUBTREE = 2,  ///< it and everything below
  UNDERSTUDY_SCOPE_CHILDREN = 3  ///< everything below, without itself
} understudy_scope;

/// Searches as the service. `filter` is RFC 4515: whatever a user typed has to go through understudy_filter_escape()
/// first. `attributes` as in understudy_lookup(). `size_limit`: entries at most, 0: no limit of ours.
/// UNDERSTUDY_LDAP_ERROR with an understudy_result_ldap_code() of 4 has the entries up to the limit.
understudy_status understudy_search(understudy_client* client, const char* base, int scope, const char* filter,
                                    const char* const* attributes, size_t attribute_count, int32_t size_limit,
                                    int64_t timeout_ms, understudy_result** result);

/// An attribute with values that are to be written.
typedef struct understudy_attribute {
  const char* name;           ///< its description, options included ("userCertificate;binary")
  const char* const* values;  ///< `value_count` of them, of any bytes; null when there are none
  const size_t* lengths;      ///< of each value, in bytes; null: the values are C texts
  size_t value_count;         ///< may be 0
} understudy_attribute;

/// What a modification does with the values. A field is an int, since C lets any number be passed.
typedef enum understudy_change {
  UNDERSTUDY_CHANGE_ADD = 0,       ///< they are added
  UNDERSTUDY_CHANGE_DELETE = 1,    ///< they are removed; without any, the attribute is
  UNDERSTUDY_CHANGE_REPLACE = 2,   ///< they take the place of those that are there; without any, the attribute goes
  UNDERSTUDY_CHANGE_INCREMENT = 3  ///< the value, a number, is added to the one that is there (RFC 4525)
} understudy_change;

/// One change of a modify.
typedef struct understudy_modification {
  int change;                      ///< an understudy_change
  understudy_attribute attribute;  ///< of what
} understudy_modification;

/// How a password is changed. A parameter is an int, since C lets any number be passed.
typedef enum understudy_password_method {
  UNDERSTUDY_PASSWORD_EXTENDED = 0,      ///< the operation of RFC 3062; not at Active Directory
  UNDERSTUDY_PASSWORD_UNICODE_PWD = 1,   ///< Active Directory's attribute, which wants an encrypted connection
  UNDERSTUDY_PASSWORD_USER_PASSWORD = 2  ///< a modify of userPassword, after a bind with the old one
} understudy_password_method;

/// Adds an entry, as the service. `attributes`: all of it, objectClass included. What is said here of writes holds for
/// all four: exactly one attempt is made once the directory may have seen it, so that UNDERSTUDY_OUTCOME_UNKNOWN is to
/// be looked into, not repeated blindly; UNDERSTUDY_LDAP_ERROR has the directory's reason in
/// understudy_result_ldap_code(). DNs that are made of what somebody typed go through understudy_dn_escape().
understudy_status understudy_add(understudy_client* client, const char* dn, const understudy_attribute* attributes,
                                 size_t attribute_count, int64_t timeout_ms, understudy_result** result);
/// Changes an entry: all of `changes`, in that order, or none.
understudy_status understudy_modify(understudy_client* client, const char* dn, const understudy_modification* changes,
                                    size_t change_count, int64_t timeout_ms, understudy_result** result);
/// Deletes an entry, which must have none below it.
understudy_status understudy_delete(understudy_client* client, const char* dn, int64_t timeout_ms,
                                    understudy_result** result);
/// Renames an entry. `new_rdn`: its new first component. `delete_old_rdn`: 0, the former name stays as a value; else it
/// goes. `new_superior`: where it moves; null: it stays where it is.
understudy_status understudy_rename(understudy_client* client, const char* dn, const char* new_rdn, int delete_old_rdn,
                                    const char* new_superior, int64_t timeout_ms, understudy_result** result);
/// Changes a user's password, as the service; the user is found as `[authenticator]` says. `old_password`: checked by
/// the directory; null: a reset, which the service's rights decide about. `new_password`: null: the directory makes one
/// (by UNDERSTUDY_PASSWORD_EXTENDED alone), and understudy_result_generated_password() has it. `method`: an
/// understudy_password_method.
understudy_status understudy_change_password(understudy_client* client, const char* user, size_t user_length,
                                             const char* old_password, size_t old_length, const char* new_password,
                                             size_t new_length, int method, int64_t timeout_ms,
                                             understudy_result** result);
/// Has the directory asked again about that user at each login that begins after this, whatever is remembered
/// (`cache_ttl` and its like), or is under way; also under other names by which the same entry was found. `user`: the
/// name as it was typed; null: everybody. Sends nothing. UNDERSTUDY_INVALID_CONFIG: `[authenticator]` does not say how
/// users are found. Since version 3 of this interface.
understudy_status understudy_forget(understudy_client* client, const char* user, size_t user_length);

// ---- Calls that return at once. UNDERSTUDY_OK: the request has a ticket, and exactly one completion will be there to
// ---- be fetched, whatever happens. Anything else: there is no ticket and no completion; `refusal` (may be null) says
// ---- why. Tickets are never 0 and never used again. `context` is handed back with the completion and not looked at.
// ---- Tickets whose completions were not fetched, `limits.max_requests` at the most, then UNDERSTUDY_QUEUE_FULL. ----

/// understudy_authenticate(), begun. `*ticket` (may be null) is set before the request is sent.
understudy_status understudy_submit_authenticate(understudy_client* client, const char* user, size_t user_length,
                                                 const char* password, size_t password_length, int64_t timeout_ms,
                                                 void* context, uint64_t* ticket, understudy_result** refusal);
/// understudy_lookup(), begun; `ticket` as above.
understudy_status understudy_submit_lookup(understudy_client* client, const char* user, size_t user_length,
                                           const char* const* attributes, size_t attribute_count, int64_t timeout_ms,
                                           void* context, uint64_t* ticket, understudy_result** refusal);
/// understudy_groups(), begun; `ticket` as above.
understudy_status understudy_submit_groups(understudy_client* client, const char* user, size_t user_length,
                                           int64_t timeout_ms, void* context, uint64_t* ticket,
                                           understudy_result** refusal);
/// understudy_search(), begun; `ticket` as above.
understudy_status understudy_submit_search(understudy_client* client, const char* base, int scope, const char* filter,
                                           const char* const* attributes, size_t attribute_count, int32_t size_limit,
                                           int64_t timeout_ms, void* context, uint64_t* ticket,
                                           understudy_result** refusal);

/// understudy_add(), begun; `ticket` as above.
understudy_status understudy_submit_add(understudy_client* client, const char* dn,
                                        const understudy_attribute* attributes, size_t attribute_count,
                                        int64_t timeout_ms, void* context, uint64_t* ticket,
                                        understudy_result** refusal);
/// understudy_modify(), begun; `ticket` as above.
understudy_status understudy_submit_modify(understudy_client* client, const char* dn,
                                           const understudy_modification* changes, size_t change_count,
                                           int64_t timeout_ms, void* context, uint64_t* ticket,
                                           understudy_result** refusal);
/// understudy_delete(), begun; `ticket` as above.
understudy_status understudy_submit_delete(understudy_client* client, const char* dn, int64_t timeout_ms, void* context,
                                           uint64_t* ticket, understudy_result** refusal);
/// understudy_rename(), begun; `ticket` as above.
understudy_status understudy_submit_rename(understudy_client* client, const char* dn, const char* new_rdn,
                                           int delete_old_rdn, const char* new_superior, int64_t timeout_ms,
                                           void* context, uint64_t* ticket, understudy_result** refusal);
/// understudy_change_password(), begun; `ticket` as above.
understudy_status understudy_submit_change_password(understudy_client* client, const char* user, size_t user_length,
                                                    const char* old_password, size_t old_length,
                                                    const char* new_password, size_t new_length, int method,
                                                    int64_t timeout_ms, void* context, uint64_t* ticket,
                                                    understudy_result** refusal);

/// A descriptor (eventfd) that can be read while completions wait to be fetched: for poll(), epoll and their like. It
/// is the client's: neither read nor close it, and take it out of the poll set before understudy_client_free(). -1: no
/// client, or one of another process.
int understudy_completion_fd(const understudy_client* client);
/// Fetches the oldest completion: ticket, context and result (each may be null), without waiting. UNDERSTUDY_OK: there
/// was one, and what came of the request is the result's status; UNDERSTUDY_NO_COMPLETION: there is none. Also after
/// understudy_client_stop().
understudy_status understudy_completion_next(understudy_client* client, uint64_t* ticket, void** context,
                                             understudy_result** result);
/// Tickets whose completions were not fetched yet.
size_t understudy_ticket_count(const understudy_client* client);
/// Gives a request up. UNDERSTUDY_OK: its completion comes as it would have, as cancelled (of a login: unavailable, not
/// retryable) unless it was too late for that. UNDERSTUDY_NO_SUCH_TICKET: its completion waits, or there is none.
understudy_status understudy_cancel(understudy_client* client, uint64_t ticket);

// ---- What came of a call. All of them take null for a result, of which there is nothing to be told. ----

/// Frees it with all texts in it. Null: does nothing.
void understudy_result_free(understudy_result* result);
/// What came of the call; UNDERSTUDY_BAD_ARGUMENT of null.
understudy_status understudy_result_status(const understudy_result* result);
/// What happened, for the log; never for who tries to log in: it says which names exist. No secrets; never null, may be
/// empty.
const char* understudy_result_message(const understudy_result* result);
/// What may be told to whoever tries to log in: the same words for a wrong password, an unknown user and an account
/// that is closed. Never null.
const char* understudy_result_public_message(const understudy_result* result);
/// 1: the same request may well be answered a moment later; else 0.
int understudy_result_retryable(const understudy_result* result);
/// In how many milliseconds it is worth to try again; -1: not known.
int64_t understudy_result_retry_after_ms(const understudy_result* result);
/// The directory's own result code (RFC 4511), when it answered with an error; else 0.
int understudy_result_ldap_code(const understudy_result* result);
/// Who answered, as "host:port"; empty when that is not known. Never null.
const char* understudy_result_server(const understudy_result* result);
/// The user's entry, of a login, a look-up, groups or a change of a password; empty when none was found. See the file's
/// rule on texts.
const char* understudy_result_dn(const understudy_result* result, size_t* length);
/// 1: a login that was answered from the cache (`cache_ttl`, `cache_grace`); else 0.
int understudy_result_cached(const understudy_result* result);
/// 0: there are more groups or entries than these; else 1.
int understudy_result_complete(const understudy_result* result);
/// Of a login, seconds until the password expires, when the directory warned; else -1.
int64_t understudy_result_password_expires_in_s(const understudy_result* result);
/// Of a login, how many are left with a password that has expired, when the directory said so; else -1.
int understudy_result_grace_logins(const understudy_result* result);

/// Of a change of a password without a new one, the one that the directory has made; null when there is none. Not ended
/// by a NUL: it has `*length` bytes, and `length` must not be null. Wiped with the result.
const char* understudy_result_generated_password(const understudy_result* result, size_t* length);

/// How many groups there are.
size_t understudy_result_group_count(const understudy_result* result);
/// The DN of group `group`, from 0 on; null when there is none of that number.
const char* understudy_result_group_dn(const understudy_result* result, size_t group, size_t* length);
/// The name of group `group`: the value of its first RDN; null when there is none of that number.
const char* understudy_result_group_name(const understudy_result* result, size_t group, size_t* length);

/// How many entries there are.
size_t understudy_result_entry_count(const understudy_result* result);
/// The DN of entry `entry`, from 0 on; null when there is none of that number.
const char* understudy_result_entry_dn(const understudy_result* result, size_t entry, size_t* length);
/// How many attributes an entry has; 0 when there is none of that number.
size_t understudy_result_attribute_count(const understudy_result* result, size_t entry);
/// The name of attribute `attribute`, from 0 on; null when there is none of that number.
const char* understudy_result_attribute_name(const understudy_result* result, size_t entry, size_t attribute,
                                             size_t* length);
/// How many values an attribute has; 0 when there is none of that number.
size_t understudy_result_value_count(const understudy_result* result, size_t entry, size_t attribute);
/// Value `value` of an attribute, from 0 on; null when there is none of that number.
const char* understudy_result_value(const understudy_result* result, size_t entry, size_t attribute, size_t value,
                                    size_t* length);
/// The number of the attribute called `name` (ASCII case does not matter), for the functions above; SIZE_MAX when the
/// entry has none.
size_t understudy_result_find_attribute(const understudy_result* result, size_t entry, const char* name);

// ---- Texts ----

/// Writes `value` as it may stand in a filter (RFC 4515), with a NUL behind it, into the `size` bytes at `to`. Returns
/// how many bytes it takes, that NUL not counted; when that is not less than `size`, nothing but an empty text was
/// written. SIZE_MAX: a null pointer, more than UNDERSTUDY_LONGEST_NAME bytes, or out of memory. It takes three times
/// `length` at the most.
size_t understudy_filter_escape(const char* value, size_t length, char* to, size_t size);
/// The same for a value in a DN (RFC 4514).
size_t understudy_dn_escape(const char* value, size_t length, char* to, size_t size);
/// Overwrites `size` bytes, also where a compiler would leave that out because nobody reads them any more.
void understudy_wipe(void* bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
