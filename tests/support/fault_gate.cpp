// The gate: who may come in, and what becomes of all links.
#include "support/fault_gate.hpp"

#include "support/gate_link.hpp"

#include <unistd.h>

namespace understudy::test {
namespace {

constexpr std::size_t most_seen = 1u << 20;

}  // namespace

fault_gate::fault_gate(std::uint16_t target, const std::string& address)
    : target_(target),
      listener_(std::make_unique<tcp_listener>(
          loop_, [this](int fd) { admit(fd); }, address, port_.number())) {
  loop_.run([this] { listener_->open(); });
}

fault_gate::~fault_gate() {
  loop_.run([this] {
    links_.clear();
    listener_.reset();
  });
}

std::string fault_gate::url() const { return "ldap://127.0.0.1:" + std::to_string(port()); }

void fault_gate::set(const gate_faults& faults) {
  loop_.run([this, &faults] {
    const bool changed = faults.arriving != faults_.arriving;
    faults_ = faults;
    if (!changed) return;
    if (faults.arriving == newcomers::refuse) return listener_->close();
    if (faults.arriving == newcomers::ignore) return listener_->ignore();
    listener_->open();
  });
  for_each([](gate_link& link) { link.wake(); });
}

void fault_gate::cut() {
  for_each([](gate_link& link) { link.end(false); });
}

void fault_gate::reset() {
  for_each([](gate_link& link) { link.end(true); });
}

bool fault_gate::saw(const std::string& bytes) const {
  std::lock_guard lock(guard_);
  return seen_.find(bytes) != std::string::npos;
}

void fault_gate::admit(int fd) {
  ++accepted_;
  if (faults_.arriving == newcomers::reset) return close_with_reset(fd);
  const bool full = faults_.most_links != 0 && links_.size() >= faults_.most_links;
  if (full || faults_.arriving == newcomers::close) {
    ::close(fd);
    return;
  }
  const auto link = std::make_shared<gate_link>(*this, fd);
  links_.insert(link);
  ++open_;
  if (faults_.arriving == newcomers::mute)
    link->swallow();
  else
    link->start();
}

void fault_gate::ended(const std::shared_ptr<gate_link>& link) {
  if (links_.erase(link) != 0) --open_;
}

void fault_gate::saw_client(std::string_view bytes) {
  std::lock_guard lock(guard_);
  if (seen_.size() < most_seen) seen_ += bytes;
}

void fault_gate::for_each(const std::function<void(gate_link&)>& act) {
  loop_.run([&] {
    const auto all = links_;  // They may end while they are told.
    for (const auto& link : all) act(*link);
  });
}

}  // namespace understudy::test
