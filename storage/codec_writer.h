// Writer: one of the two who walk through codec_layout.h. It writes a record's
// fields as MessagePack and CHECKs the bounds that Reader asks for.
//
// A writer without an output only measures: what a row is charged for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/strong.h"
#include "storage/codec_layout.h"

namespace holdfast::storage {

// How many fields a record has: the length of its array.
class FieldCounter {
 public:
  template <class Record>
  using Ref = const Record&;

  template <class Record>
  static uint32_t count(const Record& record) {
    FieldCounter counter;
    fields(counter, record);
    return counter.count_;
  }

  template <class... Any>
  void value(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void later(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void text(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void bytes(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void hash(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void body(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void optional(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void nested(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void list(Any&&...) {
    ++count_;
  }
  template <class... Any>
  void attributes(Any&&...) {
    ++count_;
  }

 private:
  uint32_t count_ = 0;
};

class Writer {
 public:
  template <class Record>
  using Ref = const Record&;

  // Appends to `output`; null: measures only.
  explicit Writer(std::string* output) : output_(output) {}

  size_t bytes_written() const { return bytes_written_; }

  template <class Record>
  void record(uint32_t version, const Record& record) {
    array_header(1 + FieldCounter::count(record));
    unsigned_number(version);
    fields(*this, record);
  }

  // A value that older rows do not have.
  void later(const char* name, const auto& field) { value(name, field); }

  void value(const char*, bool flag);
  void value(const char*, uint32_t number) { unsigned_number(number); }
  void value(const char*, uint64_t number) { unsigned_number(number); }
  void value(const char*, int64_t number) { signed_number(number); }
  void value(const char*, Duration length) {
    CHECK(length.count() >= 0);
    CHECK(length.count() <= kInstantMsMax);
    signed_number(length.count());
  }
  template <class Tag, class Number>
  void value(const char*, const Strong<Tag, Number>& id) {
    unsigned_number(id.value);
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void value(const char*, Enum word) {
    CHECK(word <= last_of(word));
    unsigned_number(static_cast<uint64_t>(word));
  }
  template <class Clock>
  void value(const char*, std::chrono::time_point<Clock, Duration> instant) {
    CHECK(to_ms(instant) >= -kInstantMsMax);
    CHECK(to_ms(instant) <= kInstantMsMax);
    signed_number(to_ms(instant));
  }

  void text(const char*, const std::string& text, size_t bytes_min, size_t bytes_max);
  void bytes(const char*, const std::string& bytes, size_t bytes_max);
  void hash(const char*, const Hash128& hash);
  void hash(const char*, const std::optional<Hash128>& hash);  // none: no bytes
  void body(const char* name, const std::string& body, size_t bytes_max) {
    bytes(name, body, bytes_max);
  }

  void optional(const char*, const std::optional<int>& number);
  void optional(const char* name, const std::optional<std::string>& bytes, size_t bytes_max);
  template <class Record>
  void optional(const char* name, const std::optional<Record>& record) {
    if (record) {
      nested(name, *record);
    } else {
      nil();
    }
  }

  template <class Record>
  void nested(const char*, const Record& record) {
    array_header(FieldCounter::count(record));
    fields(*this, record);
  }
  template <class Record>
  void list(const char* name, const std::vector<Record>& records, size_t count_max) {
    CHECK(records.size() <= count_max);
    array_header(static_cast<uint32_t>(records.size()));
    for (const Record& record : records) nested(name, record);
  }
  void attributes(const char*, const std::map<std::string, std::string>& attributes,
                  size_t bytes_max);

  // msgpack::packer calls this one.
  void write(const char* data, size_t size) {
    bytes_written_ += size;
    if (output_ != nullptr) output_->append(data, size);
  }

 private:
  void nil();
  void unsigned_number(uint64_t number);
  void signed_number(int64_t number);
  void array_header(uint32_t count);
  void text_value(std::string_view text);
  void bytes_value(std::string_view bytes);

  std::string* output_;
  size_t bytes_written_ = 0;
};

}  // namespace holdfast::storage
