// What CAF's network protocol may say on one link: every message of a peer is judged before CAF parses it.
#pragma once
#include <cstdint>
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
  /// Requests of a peer that are not answered yet.
  std::size_t most_unanswered = 256;
  /// Actors of a peer that have sent something and are not known to have ended: CAF keeps a proxy for each.
  std::size_t most_senders = 1024;
  /// The types of messages that may come, each by its signature as CAF writes it ("@<>+@atom+@u64"), with the longest
  /// payload of each in bytes: requests, and answers to ours. What an atom's value is does not show in a signature.
  std::map<std::string, std::uint32_t> requests, answers;
};

/// Which peer speaks for which CAF node, on all links of a process. A node id is what a peer says of itself; the
/// first link with it binds it to the name in that link's certificate. Thread-safe.
class basp_nodes {
 public:
  /// `self`: this process' own id, 32 bytes.
  explicit basp_nodes(std::string self) : self_(std::move(self)) {}
  const std::string& self() const noexcept { return self_; }
  /// False when that id is ours, or another peer's.
  bool claim(const std::string& node, const std::string& peer);
  /// A link that had claimed it ended.
  void release(const std::string& node) noexcept;

 private:
  struct holder {
    std::string peer;
    std::size_t links = 0;
  };
  const std::string self_;
  std::mutex mutex_;
  std::map<std::string, holder> holders_;
};

/// The two directions of one link as a state machine on bytes: what a peer sends is looked at before CAF sees it, what
/// CAF sends is looked at to know what was asked and answered. Not thread-safe: it lives on the link's thread.
///
/// A link is ended for what no sound peer sends. What may be an accident of timing (an answer to what nobody waits for
/// any more, a message to an actor that is not the gateway) is swallowed.
class basp_guard {
 public:
  /// Who connected to whom: the accepting side speaks first (BASP's server handshake).
  enum class side : std::uint8_t { accepted, dialled };

  /// `peer`: the name in its certificate. `gateway`: the number of the only actor that takes requests; 0: none does.
  basp_guard(std::shared_ptr<const basp_rules> rules, std::shared_ptr<basp_nodes> nodes, side ours, std::string peer,
             std::uint64_t gateway);
  ~basp_guard();
  basp_guard(const basp_guard&) = delete;
  basp_guard& operator=(const basp_guard&) = delete;

  /// Bytes from the peer, cut anywhere: what of them CAF may see is appended to `passed`. False when the link is to be
  /// ended: why() tells; nothing may be given to it any more.
  bool receive(std::string_view bytes, std::vector<char>& passed);
  /// Bytes that CAF sends, cut anywhere.
  void send(std::string_view bytes);

  /// What the peer did, for the log.
  const char* why() const noexcept { return why_; }
  /// The handshake was complete: a message may come.
  bool established() const noexcept { return established_; }
  /// Requests of the peer that were let through and not answered.
  std::size_t unanswered() const noexcept { return unanswered_; }
  const std::string& peer() const noexcept { return peer_; }

 private:
  struct header {
    std::uint8_t operation = 0, flags = 0;
    std::uint32_t payload = 0;
    std::uint64_t data = 0, source = 0, destination = 0;
  };
  enum class verdict : std::uint8_t { pass, swallow, end };

  static header parse(std::string_view bytes);
  verdict refuse(const char* why) noexcept;
  verdict judge_header();
  verdict judge_body();
  verdict judge_handshake();
  verdict judge_actor_notice();
  verdict judge_message();
  verdict judge_type(bool answer);

  const std::shared_ptr<const basp_rules> rules_;
  const std::shared_ptr<basp_nodes> nodes_;
  const side side_;
  const std::string peer_;
  const std::uint64_t gateway_;
  const char* why_ = "";

  std::string held_;      // the beginning of a message, until it can be judged
  std::size_t enough_;    // bytes of it that this takes
  std::size_t rest_ = 0;  // bytes of a judged message that are still to come …
  bool passes_ = false;   // … and whether CAF sees them
  header now_;            // of the message in hand
  bool established_ = false;
  std::string node_;  // the peer's, as it claimed
  std::size_t unanswered_ = 0;
  std::unordered_set<std::uint64_t> senders_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> asked_;  // actor of ours, number of its request

  std::string sent_;           // the beginning of a header that CAF sends
  std::size_t sent_rest_ = 0;  // of its payload
};

}  // namespace understudy::internal
