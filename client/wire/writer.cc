#include "client/wire/writer.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

namespace holdfast::wire {
namespace {

constexpr uint8_t kMap16 = 0xDE;
constexpr uint8_t kArray32 = 0xDD;

void fill_in(std::string& out, size_t at, size_t count, size_t count_bytes) {
  std::string big_endian;
  append_be(big_endian, count, static_cast<int>(count_bytes));
  out.replace(at, count_bytes, big_endian);
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
  append_be8(out_, kMap16);
  append_be(out_, 0, 2);
}

MapWriter::~MapWriter() {
  CHECK(fields_ <= UINT16_MAX);
  fill_in(out_, count_at_, fields_, 2);
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
  append_be8(out_, kArray32);
  append_be32(out_, 0);
}

ArrayWriter::~ArrayWriter() {
  CHECK(elements_ <= UINT32_MAX);
  fill_in(out_, count_at_, elements_, 4);
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
