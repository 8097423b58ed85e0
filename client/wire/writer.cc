#include "client/wire/writer.h"

#include <algorithm>
#include <array>

#include "storage/base/bytes.h"
#include "storage/base/check.h"

namespace holdfast::wire {
namespace {

// With room for the count.
constexpr std::string_view kMap16{"\xDE\0\0", 3};
constexpr std::string_view kArray32{"\xDD\0\0\0\0", 5};

template <size_t kBytes>
void fill_in(std::string& out, size_t at, size_t count) {
  const std::array<char, kBytes> bytes = big_endian<kBytes>(count);
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

void append_nil(std::string& out) {
  StringSink sink{out};
  Packer{sink}.pack_nil();
}

void append_str(std::string& out, std::string_view text) {
  CHECK(text.size() <= UINT32_MAX);
  const auto size = static_cast<uint32_t>(text.size());
  StringSink sink{out};
  Packer{sink}.pack_str(size).pack_str_body(text.data(), size);
}

void append_bin(std::string& out, std::string_view bytes) {
  CHECK(bytes.size() <= UINT32_MAX);
  const auto size = static_cast<uint32_t>(bytes.size());
  StringSink sink{out};
  Packer{sink}.pack_bin(size).pack_bin_body(bytes.data(), size);
}

void append_int(std::string& out, int64_t number) {
  StringSink sink{out};
  Packer{sink}.pack_int64(number);
}

void append_uint(std::string& out, uint64_t number) {
  StringSink sink{out};
  Packer{sink}.pack_uint64(number);
}

void append_bool(std::string& out, bool truth) {
  StringSink sink{out};
  Packer{sink}.pack(truth);
}

void append_object(std::string& out, const msgpack::object& object) {
  StringSink sink{out};
  Packer{sink}.pack(object);
}

void append_array_head(std::string& out, uint32_t values) {
  StringSink sink{out};
  Packer{sink}.pack_array(values);
}

MapWriter::MapWriter(std::string& out) : out_(out), count_at_(out.size() + 1) {
  out_.append(kMap16);
}

MapWriter::~MapWriter() {
  CHECK(fields_ <= UINT16_MAX);
  fill_in<2>(out_, count_at_, fields_);
}

std::string& MapWriter::value_of(std::string_view key) {
  ++fields_;
  append_str(out_, key);
  return out_;
}

MapWriter& MapWriter::text(std::string_view key, std::string_view value) {
  append_str(value_of(key), value);
  return *this;
}
MapWriter& MapWriter::bytes(std::string_view key, std::string_view value) {
  append_bin(value_of(key), value);
  return *this;
}
MapWriter& MapWriter::number(std::string_view key, int64_t value) {
  append_int(value_of(key), value);
  return *this;
}
MapWriter& MapWriter::count(std::string_view key, uint64_t value) {
  append_uint(value_of(key), value);
  return *this;
}
MapWriter& MapWriter::boolean(std::string_view key, bool value) {
  append_bool(value_of(key), value);
  return *this;
}
MapWriter MapWriter::map(std::string_view key) { return MapWriter{value_of(key)}; }
ArrayWriter MapWriter::array(std::string_view key) { return ArrayWriter{value_of(key)}; }

ArrayWriter::ArrayWriter(std::string& out) : out_(out), count_at_(out.size() + 1) {
  out_.append(kArray32);
}

ArrayWriter::~ArrayWriter() {
  CHECK(elements_ <= UINT32_MAX);
  fill_in<4>(out_, count_at_, elements_);
}

ArrayWriter& ArrayWriter::number(int64_t value) {
  append_int(out_, value);
  ++elements_;
  return *this;
}

ArrayWriter& ArrayWriter::text(std::string_view value) {
  ++elements_;
  append_str(out_, value);
  return *this;
}

MapWriter ArrayWriter::map() {
  ++elements_;
  return MapWriter{out_};
}

}  // namespace holdfast::wire
