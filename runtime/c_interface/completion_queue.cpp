// Places are taken when a request begins: an outcome moves from one list to the other, which takes no memory.
#include "understudy/runtime/c_interface/completion_queue.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace understudy::internal {
namespace {

// Neither can fail but for a descriptor that somebody else closed: the count is 0 or 1.
void set_readable(int fd) noexcept { static_cast<void>(::eventfd_write(fd, 1)); }
void clear_readable(int fd) noexcept {
  eventfd_t count = 0;
  static_cast<void>(::eventfd_read(fd, &count));
}

}  // namespace

completion_queue::completion_queue(std::size_t most)
    : most_(most), ready_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd") {}

understudy_status completion_queue::open(void* context, std::uint64_t* ticket, std::uint64_t& number,
                                         std::shared_ptr<cancel_source>& cancel) {
  cancel = std::make_shared<cancel_source>();
  std::list<request> made(1);
  const std::lock_guard lock{guard_};
  if (closed_) return UNDERSTUDY_STOPPED;
  if (under_way_.size() + ready_.size() >= most_) return UNDERSTUDY_QUEUE_FULL;
  number = last_ + 1;
  made.front().told.ticket = number;
  made.front().told.context = context;
  made.front().cancel = cancel;
  by_number_.emplace(number, made.begin());
  last_ = number;
  under_way_.splice(under_way_.end(), made);
  if (ticket != nullptr) *ticket = number;
  return UNDERSTUDY_OK;
}

bool completion_queue::withdraw(std::uint64_t number) noexcept {
  const std::lock_guard lock{guard_};
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return false;
  under_way_.erase(found->second);
  by_number_.erase(found);
  if (under_way_.empty()) all_told_.notify_all();
  return true;
}

void completion_queue::tell(std::uint64_t number, std::unique_ptr<understudy_result> result) noexcept {
  if (!result) return;
  const std::lock_guard lock{guard_};
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return;
  const auto at = found->second;
  by_number_.erase(found);
  at->told.result = std::move(result);
  at->cancel.reset();
  if (ready_.empty()) set_readable(ready_fd_.get());
  ready_.splice(ready_.end(), under_way_, at);
  if (under_way_.empty()) all_told_.notify_all();
}

bool completion_queue::cancel(std::uint64_t number) {
  std::shared_ptr<cancel_source> source;
  {
    const std::lock_guard lock{guard_};
    const auto found = by_number_.find(number);
    if (found == by_number_.end()) return false;
    source = found->second->cancel;
  }
  source->cancel();
  return true;
}

void completion_queue::cancel_all() {
  std::vector<std::shared_ptr<cancel_source>> sources;
  {
    const std::lock_guard lock{guard_};
    for (const auto& each : under_way_) sources.push_back(each.cancel);
  }
  for (const auto& source : sources) source->cancel();
}

std::optional<fetched_completion> completion_queue::next() noexcept {
  std::list<request> taken;
  {
    const std::lock_guard lock{guard_};
    if (ready_.empty()) return std::nullopt;
    taken.splice(taken.end(), ready_, ready_.begin());
    if (ready_.empty()) clear_readable(ready_fd_.get());
  }
  return std::move(taken.front().told);
}

std::size_t completion_queue::size() const {
  const std::lock_guard lock{guard_};
  return under_way_.size() + ready_.size();
}

void completion_queue::close() noexcept {
  const std::lock_guard lock{guard_};
  closed_ = true;
}

bool completion_queue::wait_until_told(duration span) {
  std::unique_lock lock{guard_};
  return all_told_.wait_for(lock, span, [this] { return under_way_.empty(); });
}

}  // namespace understudy::internal
