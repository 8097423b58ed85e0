// Packing MessagePack straight into a string, without a tree in between.
//
//    {
//      MapWriter map{out};
//      map.text("RequestId", id).number("Attempt", 3);
//      if (payload) map.bytes("Payload", *payload);      // fields may be left out
//      ArrayWriter attempts = map.array("Attempts");
//      for (...) { MapWriter attempt = attempts.map(); ... }
//    }                                                   // the counts are filled in here
//
// The number of elements stands in front of them, so a writer leaves room for it
// and writes it when it is destroyed. Until then only the innermost living
// writer may be used.
//
// Ownership  The string outlives the writers.
// Threads    One at a time.
// Failure    None; more than 65,535 fields in one map is a bug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <string>
#include <string_view>

namespace holdfast::wire {

// What msgpack::packer writes to. A packer keeps a reference to its sink:
//
//    StringSink sink{out};
//    Packer{sink}.pack(object);
class StringSink {
 public:
  explicit StringSink(std::string& out) : out_(&out) {}
  void write(const char* bytes, size_t count) { out_->append(bytes, count); }

 private:
  std::string* out_;
};

using Packer = msgpack::packer<StringSink>;

void append_nil(std::string& out);
void append_str(std::string& out, std::string_view text);
void append_bin(std::string& out, std::string_view bytes);
void append_int(std::string& out, int64_t number);
void append_uint(std::string& out, uint64_t number);
void append_bool(std::string& out, bool truth);
void append_object(std::string& out, const msgpack::object& object);
// Exactly so many values must follow.
void append_array_head(std::string& out, uint32_t values);

class ArrayWriter;

class MapWriter {
 public:
  explicit MapWriter(std::string& out);
  ~MapWriter();
  MapWriter(const MapWriter&) = delete;
  MapWriter& operator=(const MapWriter&) = delete;

  MapWriter& text(std::string_view key, std::string_view value);
  MapWriter& bytes(std::string_view key, std::string_view value);
  MapWriter& number(std::string_view key, int64_t value);
  MapWriter& count(std::string_view key, uint64_t value);
  MapWriter& boolean(std::string_view key, bool value);
  MapWriter map(std::string_view key);
  ArrayWriter array(std::string_view key);

  // Writes the key; the caller appends exactly one value to the string returned.
  std::string& value_of(std::string_view key);

 private:
  std::string& out_;
  size_t count_at_;  // where the two bytes of the count stand
  size_t fields_ = 0;
};

class ArrayWriter {
 public:
  explicit ArrayWriter(std::string& out);
  ~ArrayWriter();
  ArrayWriter(const ArrayWriter&) = delete;
  ArrayWriter& operator=(const ArrayWriter&) = delete;

  ArrayWriter& text(std::string_view value);
  ArrayWriter& number(int64_t value);
  MapWriter map();

  size_t size() const { return elements_; }

 private:
  std::string& out_;
  size_t count_at_;  // where the four bytes of the count stand
  size_t elements_ = 0;
};

}  // namespace holdfast::wire
