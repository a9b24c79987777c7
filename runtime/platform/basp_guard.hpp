// What CAF's network protocol may say on one link: every message of a peer is judged before CAF parses it.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace understudy::internal {

/// What is let through. CAF 0.17 itself asks nothing: measured, a header of 32 bytes makes it allocate 1.4 GB, nested
/// messages crash it, and any peer reaches every registered actor. A certificate says who a peer is, not that its
/// process is sound.
struct basp_rules {
  /// Of one message, in bytes, whatever its type allows.
  std::uint32_t longest_message = 4 * 1024 * 1024;
  /// Requests of a peer that are not answered yet: how many, and their payloads in bytes.
  std::size_t most_unanswered = 256, most_unanswered_bytes = 16 * 1024 * 1024;
  /// Actors of a peer that have sent something and are not known to have ended: CAF keeps a proxy for each.
  std::size_t most_senders = 1024;
  /// The types of messages that may come, each by its signature as CAF writes it ("@<>+@atom+@u64"), with the longest
  /// payload of each in bytes: requests, and answers to ours. What an atom's value is does not show in a signature.
  std::map<std::string, std::uint32_t> requests, answers;
};

/// Who connected to whom: the accepting side speaks first (BASP's server handshake).
enum class link_side : std::uint8_t { accepted, dialled };

/// Which link speaks for which CAF node, in a whole process: at most one for each. A node id is what a peer says of
/// itself; CAF would send the answers to all links with one id over the latest of them, whoever asked. Thread-safe.
class basp_nodes {
 public:
  /// Ends a link that has a number; called on the thread of the one that wants its node id. Must not throw.
  using end_link = std::function<void(std::uint64_t link)>;

  /// `self`: this process' own id, 32 bytes.
  basp_nodes(std::string self, end_link end) : self_(std::move(self)), end_(std::move(end)) {}
  const std::string& self() const noexcept { return self_; }
  /// Empty, and `node` belongs to a link of `peer` until release(); or why not. Where a peer comes again to us, its
  /// earlier link is ended: it may be dead without our knowing, and the next try will do.
  std::string_view claim(const std::string& node, const std::string& peer, link_side side, std::uint64_t link);
  /// The link that had claimed it ended.
  void release(const std::string& node) noexcept;
  /// The number of the link that has it; 0: none.
  std::uint64_t link_of(const std::string& node) const;

 private:
  struct holder {
    std::string peer;
    link_side side = link_side::accepted;
    std::uint64_t link = 0;
  };
  const std::string self_;
  const end_link end_;
  mutable std::mutex mutex_;
  std::map<std::string, holder> holders_;
};

/// The two directions of one link as a state machine on bytes: what a peer sends is looked at before CAF sees it, what
/// CAF sends is looked at to know what was asked and answered. Not thread-safe: it lives on the link's thread.
///
/// A link is ended for what no sound peer sends. What may be an accident of timing (an answer to what nobody waits for
/// any more, a message to an actor that is not the gateway) is swallowed.
class basp_guard {
 public:
  /// `peer`: the name in its certificate. `gateway`: the number of the only actor that takes requests; 0: none does.
  /// `link`: the number of this one.
  basp_guard(std::shared_ptr<const basp_rules> rules, std::shared_ptr<basp_nodes> nodes, link_side ours,
             std::string peer, std::uint64_t gateway, std::uint64_t link);
  ~basp_guard();
  basp_guard(const basp_guard&) = delete;
  basp_guard& operator=(const basp_guard&) = delete;

  /// Bytes from the peer, cut anywhere: what of them CAF may see is appended to `passed`. False when the link is to be
  /// ended: why() tells; nothing may be given to it any more.
  bool receive(std::string_view bytes, std::vector<char>& passed);
  /// Bytes that CAF sends, cut anywhere.
  void send(std::string_view bytes);

  /// What the peer did, for the log.
  std::string_view why() const noexcept { return why_; }
  /// The handshake was complete: a message may come.
  bool established() const noexcept { return established_; }
  /// Requests of the peer that were let through and not answered to the last byte.
  std::size_t unanswered() const noexcept { return unanswered_.size(); }
  /// How many had such an answer.
  std::uint64_t answered() const noexcept { return answered_; }
  /// The peer's node id, 32 bytes; empty until the handshake.
  const std::string& node() const noexcept { return node_; }

 private:
  struct header {
    std::uint8_t operation = 0, flags = 0;
    std::uint32_t payload = 0;
    std::uint64_t data = 0, source = 0, destination = 0;
  };
  enum class verdict : std::uint8_t { pass, swallow, end };

  static header parse(std::string_view bytes);
  verdict refuse(std::string_view why) noexcept;
  verdict check_header();
  verdict check_body();
  verdict check_handshake();
  verdict check_actor_notice();
  verdict check_message();
  verdict check_type(bool answer);
  void note_answer_sent();

  const std::shared_ptr<const basp_rules> rules_;
  const std::shared_ptr<basp_nodes> nodes_;
  const link_side side_;
  const std::string peer_;
  const std::uint64_t gateway_, link_;
  std::string_view why_;  // of a literal

  std::string held_;      // the beginning of a message, until it can be judged
  std::size_t enough_;    // bytes of it that this takes
  std::size_t rest_ = 0;  // bytes of a judged message that are still to come …
  bool passes_ = false;   // … and whether CAF sees them
  header now_;            // of the message in hand
  bool established_ = false;
  std::string node_;  // the peer's, as it claimed
  /// Who asked, and the number of the request.
  using request_key = std::pair<std::uint64_t, std::uint64_t>;
  std::map<request_key, std::uint32_t> unanswered_;  // of the peer's, with the length of each
  std::size_t unanswered_bytes_ = 0;
  std::unordered_set<std::uint64_t> senders_;
  std::set<request_key> asked_;  // of ours

  std::string sent_;           // the beginning of a header that CAF sends
  std::size_t sent_rest_ = 0;  // of its payload …
  std::map<request_key, std::uint32_t>::iterator answering_ = unanswered_.end();  // … which is an answer to that
  std::uint64_t answered_ = 0;
};

}  // namespace understudy::internal
