// Whole texts to frames of zstd and back: see compression.hpp.
#include "understudy/actors/node/compression.hpp"

#include <zstd.h>

#include <new>

namespace understudy::internal {
namespace {

// The quickest of the ordinary levels: on a link between nodes time counts more than the last bytes.
constexpr int level = 1;
constexpr std::size_t least_saved = 8;  // one part of so many

failure_ptr unreadable(const std::string& why) {
  return make_failure(errc::connection_failed, stage::operation, "A compressed answer cannot be read: " + why + ".");
}

}  // namespace

void compressor::end_context::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }

compressor::compressor() : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc{};
}
compressor::~compressor() = default;

std::optional<std::string> compressor::compress(std::string_view bytes) {
  // What would not be small enough has no room, and is given up half-way.
  std::string smaller(bytes.size() - bytes.size() / least_saved, '\0');
  const auto size =
      ZSTD_compressCCtx(context_.get(), smaller.data(), smaller.size(), bytes.data(), bytes.size(), level);
  if (ZSTD_isError(size) != 0) return std::nullopt;
  smaller.resize(size);
  return smaller;
}

std::string compressor::compress_answer(std::string frame) {
  auto smaller = compress(frame);
  if (!smaller) return frame;
  answer_frame around;
  around.kind = answer_kind::compressed;
  around.size = frame.size();
  around.body = std::move(*smaller);
  return encode(around);
}

decoded<std::string> decompress(std::string_view bytes, std::uint64_t size, std::size_t most) {
  if (size > most)
    return {{},
            unreadable("it is said to hold " + std::to_string(size) + " bytes, and " + std::to_string(most) +
                       " are taken at the most")};
  const auto inside = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (inside == ZSTD_CONTENTSIZE_ERROR || inside == ZSTD_CONTENTSIZE_UNKNOWN || inside != size || size == 0)
    return {{}, unreadable("it does not hold what it is said to hold")};
  // Another frame behind the first would be passed over in silence.
  if (ZSTD_findFrameCompressedSize(bytes.data(), bytes.size()) != bytes.size())
    return {{}, unreadable("its end is not where it should be")};
  std::string whole(size, '\0');
  const auto got = ZSTD_decompress(whole.data(), whole.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) != 0) return {{}, unreadable(ZSTD_getErrorName(got))};
  if (got != size) return {{}, unreadable("it does not hold what it is said to hold")};
  return {std::move(whole), nullptr};
}

decoded<answer_frame> decompress_answer(const answer_frame& compressed, std::size_t most) {
  auto whole = decompress(compressed.body, compressed.size, most);
  if (whole.error) return {{}, std::move(whole.error)};
  auto inside = decode_answer(*whole.value);
  if (inside.value && inside.value->kind == answer_kind::compressed)
    return {{}, unreadable("what is inside is compressed again")};
  return inside;
}

}  // namespace understudy::internal
