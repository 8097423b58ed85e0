// Reader: one of the two who walk through codec_layout.h. It fills a record's fields
// from tokens and asks for the bounds that Writer CHECKs.
//
// Failure  The first field that is missing, of another type or out of bounds is
//          kept as complaint(); everything after it is left as it was.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/strong.h"
#include "storage/codec_layout.h"
#include "storage/codec_tokens.h"

namespace holdfast::storage {

class Reader {
 public:
  template <class Record>
  using Ref = Record&;

  // Whether the one large field of a record is wanted, or only its size.
  enum class Body : uint8_t { copied, measured };

  Reader(std::span<const Token> tokens, Body body) : tokens_(tokens), body_(body) {}

  const std::string& complaint() const { return complaint_; }  // empty: none
  uint64_t body_bytes() const { return body_bytes_; }

  // Elements beyond the last field we know are a later version's: passed over.
  template <class Record>
  void record(uint32_t version, Record& record) {
    array("record", [&] {
      uint32_t found = 0;
      value("version", found);
      if (found != version) return complain("version", "is not one that this program knows");
      fields(*this, record);
    });
  }

  // A value that older rows do not have: there it keeps its default.
  void later(const char* name, auto& field) {
    if (elements_left_ > 0) value(name, field);
  }

  void value(const char* name, bool& flag);
  void value(const char* name, uint32_t& number) { unsigned_number(name, number); }
  void value(const char* name, uint64_t& number) { unsigned_number(name, number); }
  void value(const char* name, int64_t& number) {
    signed_number(name, number, std::numeric_limits<int64_t>::min(),
                  std::numeric_limits<int64_t>::max());
  }
  template <class Tag, class Number>
  void value(const char* name, Strong<Tag, Number>& id) {
    unsigned_number(name, id.value);
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void value(const char* name, Enum& word) {
    uint64_t number = 0;
    bounded_number(name, number, static_cast<uint64_t>(last_of(word)));
    word = static_cast<Enum>(number);
  }
  void value(const char* name, Duration& length) {
    int64_t ms = 0;
    signed_number(name, ms, 0, kInstantMsMax);
    length = Duration{ms};
  }
  template <class Clock>
  void value(const char* name, std::chrono::time_point<Clock, Duration>& instant) {
    int64_t ms = 0;
    signed_number(name, ms, -kInstantMsMax, kInstantMsMax);
    instant = from_ms<std::chrono::time_point<Clock, Duration>>(ms);
  }

  void text(const char* name, std::string& text, size_t bytes_min, size_t bytes_max);
  void bytes(const char* name, std::string& bytes, size_t bytes_max);
  void hash(const char* name, Hash128& hash);
  void hash(const char* name, std::optional<Hash128>& hash);
  void body(const char* name, std::string& body, size_t bytes_max);

  void optional(const char* name, std::optional<int>& number);
  void optional(const char* name, std::optional<std::string>& bytes, size_t bytes_max);
  template <class Record>
  void optional(const char* name, std::optional<Record>& record) {
    if (!take_nil()) nested(name, record.emplace());
  }

  template <class Record>
  void nested(const char* name, Record& record) {
    array(name, [&] { fields(*this, record); });
  }
  template <class Record>
  void list(const char* name, std::vector<Record>& records, size_t count_max) {
    array(name, [&] {
      if (elements_left_ > count_max) return complain(name, "has too many elements");
      while (elements_left_ > 0 && complaint_.empty()) nested(name, records.emplace_back());
    });
  }
  void attributes(const char* name, std::map<std::string, std::string>& attributes,
                  size_t bytes_max);

 private:
  template <class Fill>
  void array(const char* name, Fill fill) {
    const Token* header = take(name, Token::Kind::array);
    if (header == nullptr) return;
    const uint64_t outer_left = std::exchange(elements_left_, header->number);
    fill();
    while (elements_left_ > 0 && complaint_.empty()) skip();
    elements_left_ = outer_left;
  }

  template <class Number>
  void unsigned_number(const char* name, Number& number) {
    uint64_t wide = 0;
    bounded_number(name, wide, std::numeric_limits<Number>::max());
    number = static_cast<Number>(wide);
  }
  void bounded_number(const char* name, uint64_t& number, uint64_t number_max);
  void signed_number(const char* name, int64_t& number, int64_t number_min, int64_t number_max);

  const Token* take_any(const char* name);
  const Token* take(const char* name, Token::Kind kind);
  std::string_view take_view(const char* name, Token::Kind kind, size_t bytes_max);
  bool take_nil();
  void skip();
  void complain(const char* name, const char* what);

  std::span<const Token> tokens_;  // a whole value: headers never promise more than follows
  Body body_;
  uint64_t body_bytes_ = 0;
  size_t next_ = 0;
  uint64_t elements_left_ = 1;  // of the array that is being read; outside: the record
  std::string complaint_;
};

}  // namespace holdfast::storage
