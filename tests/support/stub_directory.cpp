// The stub directory: usual answers, scripted ones, and what it notes.
#include "support/stub_directory.hpp"

#include <unistd.h>

#include <algorithm>

namespace understudy::test {
namespace {

constexpr std::size_t most_requests = 100'000;
constexpr std::size_t most_plain_bytes = 1u << 20;
constexpr const char* people = ",ou=people,dc=example,dc=com";

entry root_dse() {
  return {"",
          {{"objectClass", {"top"}},
           {"namingContexts", {"dc=example,dc=com"}},
           {"supportedLDAPVersion", {"3"}},
           {"supportedExtension", {start_tls_oid, whoami_oid, password_modify_oid}}}};
}

/// "(uid=X)" → the entry of X; anything else → the entry of the base.
std::vector<entry> plausible_entries(const directory_request& request) {
  const std::string& filter = request.filter;
  const auto begin = filter.find("(uid=");
  const auto end = filter.find(')', begin);
  if (begin == std::string::npos || end == std::string::npos) return {{request.dn, {{"objectClass", {"top"}}}}};
  const std::string uid = filter.substr(begin + 5, end - begin - 5);
  return {
      {"uid=" + uid + people, {{"objectClass", {"inetOrgPerson"}}, {"uid", {uid}}, {"mail", {uid + "@example.com"}}}}};
}

}  // namespace

stub_directory::stub_directory(stub_options with)
    : passwords_(std::move(with.passwords)),
      tls_(with.tls ? make_tls_server(*with.tls) : nullptr),
      ldaps_(with.ldaps),
      listener_(with.address.empty() ? std::make_unique<tcp_listener>(loop_, [this](int fd) { admit(fd); })
                                     : std::make_unique<tcp_listener>(
                                           loop_, [this](int fd) { admit(fd); }, with.address, with.port)) {
  start();
}

stub_directory::~stub_directory() {
  loop_.run([this] {
    connections_.clear();
    listener_.reset();
  });
}

std::string stub_directory::url() const {
  return std::string(ldaps_ ? "ldaps" : "ldap") + "://127.0.0.1:" + std::to_string(port());
}

stub_directory::rule_id stub_directory::on(operation kind, reply answer, int times) {
  return on(
      kind, [answer = std::move(answer)](const directory_request&) { return answer; }, times);
}

stub_directory::rule_id stub_directory::on(operation kind, responder answer, int times) {
  return when([kind](const directory_request& r) { return r.kind == kind; }, std::move(answer), times);
}

stub_directory::rule_id stub_directory::when(request_predicate fits, responder answer, int times) {
  return script_.add(std::move(fits), std::move(answer), times);
}

stub_directory::rule_id stub_directory::disturb(operation kind, delivery how, int times) {
  return on(
      kind,
      [this, how = std::move(how)](const directory_request& r) {
        return reply{usual(r).what, how};
      },
      times);
}

stub_directory::rule_id stub_directory::disturb_all(delivery how, int times) {
  return when([](const directory_request&) { return true; },
              [this, how = std::move(how)](const directory_request& r) {
                return reply{usual(r).what, how};
              },
              times);
}

void stub_directory::set_entries(generator entries) {
  std::lock_guard lock(guard_);
  entries_ = std::move(entries);
}

void stub_directory::set_entries(std::vector<entry> entries) {
  set_entries([entries = std::move(entries)](const directory_request&) { return entries; });
}

void stub_directory::set_passwords(std::map<std::string, std::string> passwords) {
  std::lock_guard lock(guard_);
  passwords_ = std::move(passwords);
}

void stub_directory::set_tls(const tls_files& from) {
  auto made = make_tls_server(from);
  std::lock_guard lock(guard_);
  tls_ = std::move(made);
}

void stub_directory::set_handshake(handshake how) {
  std::lock_guard lock(guard_);
  handshake_ = how;
}

reply stub_directory::usual(const directory_request& request) const {
  reply answer;
  switch (request.kind) {
    case operation::bind:
      return usual_bind(request);
    case operation::search:
      return usual_search(request);
    case operation::compare:
      answer.what.code = result_code::compare_true;
      break;
    case operation::whoami:
      answer.what.value = request.identity.empty() ? "" : "dn:" + request.identity;
      break;
    case operation::start_tls: {
      std::lock_guard lock(guard_);
      answer.what.oid = start_tls_oid;
      if (!tls_) answer.what.code = result_code::protocol_error;
      break;
    }
    case operation::extended:
      answer.what.code = result_code::protocol_error;
      break;
    default:
      break;
  }
  return answer;
}

reply stub_directory::usual_bind(const directory_request& request) const {
  std::lock_guard lock(guard_);
  reply answer;
  const auto known = passwords_.find(request.dn);
  const bool open =
      !request.mechanism.empty() || passwords_.empty() || (request.dn.empty() && request.password.empty());
  if (!open && (known == passwords_.end() || known->second != request.password))
    answer.what.code = result_code::invalid_credentials;
  return answer;
}

reply stub_directory::usual_search(const directory_request& request) const {
  reply answer;
  if (request.dn.empty() && request.scope == search_scope::base) {
    answer.what.entries = {root_dse()};
    return answer;
  }
  generator entries = [](const directory_request& r) { return plausible_entries(r); };
  {
    std::lock_guard lock(guard_);
    if (entries_) entries = entries_;
  }
  answer.what.entries = entries(request);
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(request.size_limit, 0));
  if (limit != 0 && answer.what.entries.size() > limit) {
    answer.what.entries.resize(limit);
    answer.what.code = result_code::size_limit_exceeded;
  }
  return answer;
}

reply stub_directory::decide(const directory_request& request) {
  const responder scripted = script_.choose(request);
  reply answer = scripted ? scripted(request) : usual(request);
  const auto found = connections_.find(request.connection);
  if (found != connections_.end()) note_first_request(*found->second);
  if (found != connections_.end() && request.kind == operation::bind) {
    // A failed bind leaves the connection anonymous (RFC 4513, 4).
    stub_connection& connection = *found->second;
    connection.identity = request.mechanism == "EXTERNAL" ? connection.peer_subject() : request.dn;
    if (answer.what.code != result_code::success) connection.identity.clear();
    std::lock_guard lock(guard_);
    identities_[request.connection] = connection.identity;
  }
  if (found != connections_.end() && request.kind == operation::start_tls) {
    std::lock_guard lock(guard_);
    if (tls_) found->second->secure_after_answer(tls_, handshake_);
  }
  note(request, answer);
  return answer;
}

void stub_directory::note(const directory_request& request, const reply& answer) {
  std::lock_guard lock(guard_);
  ++counts_[static_cast<std::size_t>(request.kind)];
  if (request.kind == operation::bind)
    binds_.push_back({request.connection, request.dn, request.password, answer.what.code, request.encrypted});
  if (requests_.size() < most_requests) requests_.push_back(request);
}

void stub_directory::note_first_request(stub_connection& from) {
  if (std::exchange(from.spoken, true)) return;
  const auto open = std::count_if(connections_.begin(), connections_.end(),
                                  [](const auto& connection) { return !connection.second->hung_up(); });
  most_open_ = std::max<std::uint64_t>(most_open_, static_cast<std::uint64_t>(open));
}

void stub_directory::saw_plain(std::string_view bytes) {
  std::lock_guard lock(guard_);
  if (plain_.size() < most_plain_bytes) plain_ += bytes;
}

void stub_directory::broke_protocol() { ++protocol_errors_; }

void stub_directory::ended(std::uint64_t number) {
  connections_.erase(number);
  std::lock_guard lock(guard_);
  identities_.erase(number);
  --open_;
}

void stub_directory::admit(int fd) {
  const std::uint64_t number = ++accepted_;
  {
    std::lock_guard lock(guard_);
    if (arrivals_.size() < most_requests) arrivals_.push_back(std::chrono::steady_clock::now());
  }
  if (most_connections_ && connections_.size() >= *most_connections_) {
    if (beyond_ == ending::reset) return close_with_reset(fd);
    ::close(fd);
    return;
  }
  stub_connection::host& self = *this;
  const auto connection = std::make_shared<stub_connection>(loop_, self, fd, number);
  connections_[number] = connection;
  ++open_;
  std::shared_ptr<ssl_ctx_st> tls;
  handshake how;
  {
    std::lock_guard lock(guard_);
    identities_[number];
    if (ldaps_) tls = tls_;
    how = handshake_;
  }
  const auto beginning = std::count_if(connections_.begin(), connections_.end(),
                                       [](const auto& known) { return known.second->beginning(); });
  most_beginning_ = std::max<std::uint64_t>(most_beginning_, static_cast<std::uint64_t>(beginning));
  connection->set_pace(pace_);
  connection->start(std::move(tls), how);
}

void stub_directory::for_each(const std::function<void(stub_connection&)>& act) {
  loop_.run([&] {
    const auto all = connections_;  // They may end while they are told.
    for (const auto& [number, connection] : all) act(*connection);
  });
}

void stub_directory::stop() {
  loop_.run([this] {
    listener_->close();
    connections_.clear();
    std::lock_guard lock(guard_);
    identities_.clear();
    open_ = 0;
  });
}

void stub_directory::start() {
  loop_.run([this] { listener_->open(); });
}

void stub_directory::pause() {
  loop_.run([this] { listener_->hold(); });
  for_each([](stub_connection& c) { c.sleep(); });
}

void stub_directory::resume() {
  for_each([](stub_connection& c) { c.wake(); });
  start();
}

void stub_directory::ignore_connects() {
  loop_.run([this] { listener_->ignore(); });
}

void stub_directory::limit_connections(std::optional<std::size_t> most, ending how) {
  loop_.run([&] {
    most_connections_ = most;
    beyond_ = how;
  });
}

void stub_directory::reset_newcomers(bool on) {
  limit_connections(on ? std::optional<std::size_t>{0} : std::nullopt, ending::reset);
}

void stub_directory::go_dark() {
  for_each([](stub_connection& c) { c.go_dark(); });
}

void stub_directory::end_dark() {
  for_each([](stub_connection& c) {
    if (c.dark()) c.end(ending::reset);
  });
}

void stub_directory::set_pace(std::size_t bytes_a_second) {
  loop_.run([&] { pace_ = bytes_a_second; });
  for_each([&](stub_connection& c) { c.set_pace(bytes_a_second); });
}

void stub_directory::close_all() {
  for_each([](stub_connection& c) { c.end(ending::close); });
}

void stub_directory::reset_all() {
  for_each([](stub_connection& c) { c.end(ending::reset); });
}

void stub_directory::send_to_all(const std::string& bytes) {
  for_each([&](stub_connection& c) { c.send_now(bytes); });
}

void stub_directory::notice_of_disconnection(int code, const std::string& diagnostic) {
  const std::string notice = encode_notice_of_disconnection(code, diagnostic);
  for_each([&](stub_connection& c) {
    c.send_now(notice);
    c.end(ending::close);
  });
}

std::uint64_t stub_directory::count(operation kind) const {
  std::lock_guard lock(guard_);
  return counts_[static_cast<std::size_t>(kind)];
}

std::uint64_t stub_directory::connections() const { return accepted_; }
std::uint64_t stub_directory::open_connections() const { return open_; }

std::vector<std::chrono::steady_clock::time_point> stub_directory::arrivals() const {
  std::lock_guard lock(guard_);
  return arrivals_;
}

std::uint64_t stub_directory::protocol_errors() const { return protocol_errors_; }

std::vector<bind_note> stub_directory::binds() const {
  std::lock_guard lock(guard_);
  return binds_;
}

std::vector<directory_request> stub_directory::requests() const {
  std::lock_guard lock(guard_);
  return requests_;
}

std::vector<directory_request> stub_directory::requests(operation kind) const {
  auto all = requests();
  all.erase(std::remove_if(all.begin(), all.end(), [kind](const directory_request& r) { return r.kind != kind; }),
            all.end());
  return all;
}

std::map<std::uint64_t, std::string> stub_directory::identities() const {
  std::lock_guard lock(guard_);
  return identities_;
}

bool stub_directory::saw_in_clear(const std::string& bytes) const {
  std::lock_guard lock(guard_);
  return plain_.find(bytes) != std::string::npos;
}

}  // namespace understudy::test
