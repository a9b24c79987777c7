// The typed calls of a directory, all made of perform() and start(): see directory.hpp.
#include "understudy/runtime/directory.hpp"

#include "understudy/runtime/client/cancel_state.hpp"
#include "understudy/runtime/client/completion_delivery.hpp"
#include "understudy/runtime/client/failures.hpp"
#include "understudy/runtime/exceptions.hpp"

namespace understudy {

using namespace internal;
namespace {

result take(outcome answer) { return std::move(answer.value()); }

}  // namespace

result& outcome::value() const {
  if (!value_) throw_failure(error_ ? error_ : moved_from("outcome"));
  return *value_;
}

cancel_source::cancel_source() : state_(std::make_shared<state>()) {}
cancel_source::~cancel_source() = default;
void cancel_source::cancel() { state_->cancel(); }

outcome directory::try_search(search_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_compare(compare_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_add(add_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_modify(modify_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_remove(delete_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_modify_dn(modify_dn_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_bind(bind_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_whoami(const call_options& options) { return perform(make_request(whoami_request{}), options); }
outcome directory::try_password_modify(password_modify_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}
outcome directory::try_extended(extended_request request, const call_options& options) {
  return perform(make_request(std::move(request)), options);
}

result directory::search(search_request request, const call_options& options) {
  return take(try_search(std::move(request), options));
}

std::vector<entry> directory::search(std::string base, std::string filter, std::vector<std::string> attributes,
                                     const call_options& options) {
  search_request request;
  request.base = std::move(base);
  request.filter = std::move(filter);
  request.attributes = std::move(attributes);
  return search(std::move(request), options).entries;
}

bool directory::compare(compare_request request, const call_options& options) {
  return try_compare(std::move(request), options).value().compare_matched();
}
void directory::add(add_request request, const call_options& options) { try_add(std::move(request), options).value(); }
void directory::modify(modify_request request, const call_options& options) {
  try_modify(std::move(request), options).value();
}
void directory::remove(delete_request request, const call_options& options) {
  try_remove(std::move(request), options).value();
}
void directory::modify_dn(modify_dn_request request, const call_options& options) {
  try_modify_dn(std::move(request), options).value();
}
void directory::bind(bind_request request, const call_options& options) {
  try_bind(std::move(request), options).value();
}
std::string directory::whoami(const call_options& options) {
  return take(try_whoami(options)).response_value.value_or("");
}
std::optional<std::string> directory::password_modify(password_modify_request request, const call_options& options) {
  return take(try_password_modify(std::move(request), options)).response_value;
}
result directory::extended(extended_request request, const call_options& options) {
  return take(try_extended(std::move(request), options));
}

std::future<outcome> directory::async(request_ptr request, const call_options& options) {
  auto promise = std::make_shared<std::promise<outcome>>();
  auto future = promise->get_future();
  start(std::move(request), future_completion{std::move(promise)}, options);
  return future;
}
std::future<outcome> directory::async_search(search_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_compare(compare_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_add(add_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_modify(modify_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_remove(delete_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_modify_dn(modify_dn_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_bind(bind_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_password_modify(password_modify_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_extended(extended_request request, const call_options& options) {
  return async(make_request(std::move(request)), options);
}
std::future<outcome> directory::async_whoami(const call_options& options) {
  return async(make_request(whoami_request{}), options);
}

void directory::async_search(search_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_compare(compare_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_add(add_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_modify(modify_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_remove(delete_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_modify_dn(modify_dn_request request, completion done, const call_options& options,
                                executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_bind(bind_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_password_modify(password_modify_request request, completion done, const call_options& options,
                                      executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_extended(extended_request request, completion done, const call_options& options, executor where) {
  start(make_request(std::move(request)), std::move(done), options, std::move(where));
}
void directory::async_whoami(completion done, const call_options& options, executor where) {
  start(make_request(whoami_request{}), std::move(done), options, std::move(where));
}

}  // namespace understudy
