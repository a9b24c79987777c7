// Answers between nodes made smaller, and made whole again within a bound: zstd.
#pragma once
#include "understudy/actors/node/frame.hpp"

#include <memory>

struct ZSTD_CCtx_s;

namespace understudy::internal {

/// An answer of fewer bytes crosses as it is: it fits into few packets anyway.
inline constexpr std::size_t least_compressed = 4 * 1024;

/// Compresses texts that each stand for themselves: nothing of an answer shows in the size of another. Not thread-safe.
class compressor {
 public:
  /// Throws std::bad_alloc.
  compressor();
  ~compressor();
  compressor(const compressor&) = delete;
  compressor& operator=(const compressor&) = delete;

  /// A frame of zstd that says how long `bytes` is; nothing unless that saves an eighth.
  std::optional<std::string> compress(std::string_view bytes);
  /// The same as an answer (answer_kind::compressed), or `frame` as it is.
  std::string compress_answer(std::string frame);

 private:
  struct end_context {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_CCtx_s, end_context> context_;
};

/// What `bytes`, which may be anything, was made of. `size` is what the sender says that it takes: no memory is taken
/// when that is more than `most` or not what the frame itself says, and never more than that.
decoded<std::string> decompress(std::string_view bytes, std::uint64_t size, std::size_t most);
/// The answer inside of a compressed one.
decoded<answer_frame> decompress_answer(const answer_frame& compressed, std::size_t most);

}  // namespace understudy::internal
