#include "storage/codec_writer.h"

#include <msgpack.hpp>

namespace holdfast::storage {

namespace {

// A packer is only a reference to its stream, so one per value costs nothing.
msgpack::packer<Writer> packer(Writer& writer) { return msgpack::packer<Writer>{writer}; }

}  // namespace

void Writer::nil() { packer(*this).pack_nil(); }

void Writer::unsigned_number(uint64_t number) { packer(*this).pack_uint64(number); }

void Writer::signed_number(int64_t number) { packer(*this).pack_int64(number); }

void Writer::array_header(uint32_t count) { packer(*this).pack_array(count); }

void Writer::text_value(std::string_view text) {
  packer(*this).pack_str(static_cast<uint32_t>(text.size()));
  write(text.data(), text.size());
}

void Writer::bytes_value(std::string_view bytes) {
  packer(*this).pack_bin(static_cast<uint32_t>(bytes.size()));
  write(bytes.data(), bytes.size());
}

void Writer::value(const char*, bool flag) {
  if (flag) {
    packer(*this).pack_true();
  } else {
    packer(*this).pack_false();
  }
}

void Writer::text(const char*, const std::string& text, size_t bytes_min, size_t bytes_max) {
  CHECK(text.size() >= bytes_min);
  CHECK(text.size() <= bytes_max);
  text_value(text);
}

void Writer::bytes(const char*, const std::string& bytes, size_t bytes_max) {
  CHECK(bytes.size() <= bytes_max);
  bytes_value(bytes);
}

void Writer::hash(const char*, const Hash128& hash) { bytes_value(view_of(hash)); }

void Writer::hash(const char* name, const std::optional<Hash128>& hash) {
  if (hash) {
    this->hash(name, *hash);
  } else {
    bytes_value({});
  }
}

void Writer::optional(const char*, const std::optional<int>& number) {
  if (number) {
    signed_number(*number);
  } else {
    nil();
  }
}

void Writer::optional(const char* name, const std::optional<std::string>& bytes_or_none,
                      size_t bytes_max) {
  if (bytes_or_none) {
    bytes(name, *bytes_or_none, bytes_max);
  } else {
    nil();
  }
}

void Writer::attributes(const char*, const std::map<std::string, std::string>& attributes,
                        size_t bytes_max) {
  size_t bytes_total = 0;
  packer(*this).pack_map(static_cast<uint32_t>(attributes.size()));
  for (const auto& [key, text] : attributes) {
    bytes_total += key.size() + text.size();
    text_value(key);
    text_value(text);
  }
  CHECK(bytes_total <= bytes_max);
}

}  // namespace holdfast::storage
