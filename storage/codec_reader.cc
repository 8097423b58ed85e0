#include "storage/codec_reader.h"

namespace holdfast::storage {

void Reader::complain(const char* name, const char* what) {
  if (complaint_.empty()) complaint_ = std::string{name} + " " + what;
}

const Token* Reader::take_any(const char* name) {
  if (!complaint_.empty()) return nullptr;
  if (elements_left_ == 0) {
    complain(name, "is missing");
    return nullptr;
  }
  --elements_left_;
  return &tokens_[next_++];
}

const Token* Reader::take(const char* name, Token::Kind kind) {
  const Token* token = take_any(name);
  if (token == nullptr) return nullptr;
  if (token->kind != kind) {
    complain(name, "has another type");
    return nullptr;
  }
  return token;
}

std::string_view Reader::take_view(const char* name, Token::Kind kind, size_t bytes_max) {
  const Token* token = take(name, kind);
  if (token == nullptr) return {};
  if (token->view.size() > bytes_max) {
    complain(name, "is over its limit");
    return {};
  }
  return token->view;
}

bool Reader::take_nil() {
  if (!complaint_.empty() || elements_left_ == 0) return false;
  if (tokens_[next_].kind != Token::Kind::nil) return false;
  --elements_left_;
  ++next_;
  return true;
}

void Reader::skip() {
  --elements_left_;
  for (uint64_t values = 1; values > 0; --values) {
    const Token& token = tokens_[next_++];
    if (token.kind == Token::Kind::array) values += token.number;
    if (token.kind == Token::Kind::map) values += 2 * token.number;
  }
}

void Reader::value(const char* name, bool& flag) {
  if (const Token* token = take(name, Token::Kind::boolean)) flag = token->number != 0;
}

void Reader::bounded_number(const char* name, uint64_t& number, uint64_t number_max) {
  const Token* token = take(name, Token::Kind::unsigned_number);
  if (token == nullptr) return;
  if (token->number > number_max) return complain(name, "is out of range");
  number = token->number;
}

void Reader::signed_number(const char* name, int64_t& number, int64_t number_min,
                           int64_t number_max) {
  const Token* token = take_any(name);
  if (token == nullptr) return;
  const bool negative = token->kind == Token::Kind::negative_number;
  if (!negative && token->kind != Token::Kind::unsigned_number) {
    return complain(name, "has another type");
  }
  const auto found = static_cast<int64_t>(token->number);
  const bool fits = negative || found >= 0;  // an unsigned one may be over INT64_MAX
  if (!fits || found < number_min || found > number_max) return complain(name, "is out of range");
  number = found;
}

void Reader::text(const char* name, std::string& text, size_t bytes_min, size_t bytes_max) {
  const std::string_view found = take_view(name, Token::Kind::text, bytes_max);
  if (found.size() < bytes_min) return complain(name, "is empty");
  text = found;
}

void Reader::bytes(const char* name, std::string& bytes, size_t bytes_max) {
  bytes = take_view(name, Token::Kind::bytes, bytes_max);
}

void Reader::hash(const char* name, Hash128& hash) {
  std::optional<Hash128> found;
  this->hash(name, found);
  if (!found) return complain(name, "is no hash");
  hash = *found;
}

void Reader::hash(const char* name, std::optional<Hash128>& hash) {
  const std::string_view found = take_view(name, Token::Kind::bytes, sizeof(Hash128));
  if (found.empty()) return;
  hash = hash_from(found);
  if (!hash) complain(name, "is no hash");
}

void Reader::body(const char* name, std::string& body, size_t bytes_max) {
  const std::string_view found = take_view(name, Token::Kind::bytes, bytes_max);
  body_bytes_ = found.size();
  if (body_ == Body::copied) body = found;
}

void Reader::optional(const char* name, std::optional<int>& number) {
  if (take_nil()) return;
  int64_t wide = 0;
  signed_number(name, wide, std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
  number = static_cast<int>(wide);
}

void Reader::optional(const char* name, std::optional<std::string>& bytes_or_none,
                      size_t bytes_max) {
  if (!take_nil()) bytes(name, bytes_or_none.emplace(), bytes_max);
}

void Reader::attributes(const char* name, std::map<std::string, std::string>& attributes,
                        size_t bytes_max) {
  const Token* header = take(name, Token::Kind::map);
  if (header == nullptr) return;
  const uint64_t outer_left = std::exchange(elements_left_, 2 * header->number);
  size_t bytes_left = bytes_max;
  while (elements_left_ > 0 && complaint_.empty()) {
    const std::string_view key = take_view(name, Token::Kind::text, bytes_left);
    bytes_left -= key.size();
    const std::string_view text = take_view(name, Token::Kind::text, bytes_left);
    bytes_left -= text.size();
    if (!attributes.emplace(key, text).second) complain(name, "has a key twice");
  }
  elements_left_ = outer_left;
}

}  // namespace holdfast::storage
