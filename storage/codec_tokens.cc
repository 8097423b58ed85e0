#include "storage/codec_tokens.h"

#include <msgpack.hpp>

namespace holdfast::storage {

namespace {

// Hooks of msgpack::parse(). Answering false stops the parser, which is how every
// bound is kept: the library itself believes any count it reads.
class TokenCollector : public msgpack::null_visitor {
 public:
  TokenCollector() { tokens_.reserve(kTokensExpected); }

  bool visit_nil() { return add({Token::Kind::nil}); }
  bool visit_boolean(bool value) { return add({Token::Kind::boolean, value ? 1u : 0u}); }
  bool visit_positive_integer(uint64_t value) { return add({Token::Kind::unsigned_number, value}); }
  bool visit_negative_integer(int64_t value) {
    return add({Token::Kind::negative_number, static_cast<uint64_t>(value)});
  }
  bool visit_float32(float) { return add({Token::Kind::foreign}); }
  bool visit_float64(double) { return add({Token::Kind::foreign}); }
  bool visit_str(const char* data, uint32_t size) {
    return add({Token::Kind::text, 0, std::string_view{data, size}});
  }
  bool visit_bin(const char* data, uint32_t size) {
    return add({Token::Kind::bytes, 0, std::string_view{data, size}});
  }
  bool visit_ext(const char*, uint32_t) { return add({Token::Kind::foreign}); }
  bool start_array(uint32_t elements) { return deeper() && add({Token::Kind::array, elements}); }
  bool end_array() { return shallower(); }
  bool start_map(uint32_t pairs) { return deeper() && add({Token::Kind::map, pairs}); }
  bool end_map() { return shallower(); }

  std::vector<Token> take() { return std::move(tokens_); }

 private:
  static constexpr size_t kTokensExpected = 32;

  bool add(const Token& token) {
    if (tokens_.size() == kTokensMax) return false;
    tokens_.push_back(token);
    return true;
  }
  bool deeper() { return ++nesting_ <= kNestingMax; }
  bool shallower() {
    --nesting_;
    return true;
  }

  std::vector<Token> tokens_;
  uint32_t nesting_ = 0;
};

}  // namespace

std::optional<std::vector<Token>> tokenize(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  TokenCollector collector;
  size_t parsed = 0;
  try {
    if (!msgpack::parse(bytes.data(), bytes.size(), parsed, collector)) return std::nullopt;
  } catch (const msgpack::unpack_error&) {
    return std::nullopt;  // an extension that claims more than there can be
  }
  if (parsed != bytes.size()) return std::nullopt;
  return collector.take();
}

}  // namespace holdfast::storage
