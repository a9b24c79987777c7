// Telling a caller what came of his request: see completing.hpp.
#include "understudy/runtime/completing.hpp"

namespace understudy {
namespace {

/// A completion that can run once, from whichever place gets to it first.
class told_once {
 public:
  told_once(completion done, outcome what, std::shared_ptr<log_port> log)
      : done_(std::move(done)), what_(std::move(what)), log_(std::move(log)) {}

  void operator()() {
    if (told_.exchange(true)) return;
    try {
      done_(std::move(what_));
    } catch (const std::exception& e) {
      complain(e.what());
    } catch (...) {
      complain("unknown exception");
    }
    done_ = nullptr;
  }

 private:
  void complain(const char* what) const {
    if (log_) log_->write(log_level::error, "client", "a completion threw; it must not", {{"exception", what}});
  }

  std::atomic<bool> told_{false};
  completion done_;
  outcome what_;
  std::shared_ptr<log_port> log_;
};

}  // namespace

void complete(completion done, const executor& where, outcome what, const std::shared_ptr<log_port>& log) {
  if (!where) {
    told_once{std::move(done), std::move(what), log}();
    return;
  }
  auto tell = std::make_shared<told_once>(std::move(done), std::move(what), log);
  try {
    where([tell] { (*tell)(); });
  } catch (...) {
    // An executor that takes no more work: the caller is told all the same.
    (*tell)();
  }
}

}  // namespace understudy
