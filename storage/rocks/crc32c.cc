#include "storage/rocks/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace holdfast::storage {

namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, bits reversed
constexpr uint32_t kMaskDelta = 0xA282EAD8;
constexpr size_t kStep = 8;

using Table = std::array<uint32_t, 256>;

// tables[n][b]: what the byte b adds to the checksum with n more bytes behind it.
constexpr std::array<Table, kStep> make_tables() {
  std::array<Table, kStep> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < kStep; ++n) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t shorter = tables[n - 1][byte];
      tables[n][byte] = (shorter >> 8) ^ tables[0][shorter & 0xFF];
    }
  }
  return tables;
}

constexpr std::array<Table, kStep> kTables = make_tables();

uint32_t little_endian32(const char* bytes) {
  uint32_t number = 0;
  for (int n = 3; n >= 0; --n) number = (number << 8) | static_cast<uint8_t>(bytes[n]);
  return number;
}

#ifdef __x86_64__
// SSE 4.2 has an instruction for this polynomial: eight bytes a step, in three cycles.
__attribute__((target("sse4.2"))) uint32_t crc32c_by_instruction(std::string_view bytes,
                                                                 uint32_t before) {
  uint64_t crc = ~before;
  while (bytes.size() >= kStep) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), kStep);
    crc = __builtin_ia32_crc32di(crc, word);
    bytes.remove_prefix(kStep);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (const char byte : bytes) {
    rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(byte));
  }
  return ~rest;
}
#endif

using Compute = uint32_t (*)(std::string_view, uint32_t);

Compute fastest() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("sse4.2")) return crc32c_by_instruction;
#endif
  return crc32c_by_table;
}

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t before) {
  static const Compute compute = fastest();
  return compute(bytes, before);
}

uint32_t crc32c_by_table(std::string_view bytes, uint32_t before) {
  uint32_t crc = ~before;
  while (bytes.size() >= kStep) {
    const uint32_t low = little_endian32(bytes.data()) ^ crc;
    const uint32_t high = little_endian32(bytes.data() + 4);
    crc = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^ kTables[5][(low >> 16) & 0xFF] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xFF] ^ kTables[2][(high >> 8) & 0xFF] ^
          kTables[1][(high >> 16) & 0xFF] ^ kTables[0][high >> 24];
    bytes.remove_prefix(kStep);
  }
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  }
  return ~crc;
}

uint32_t mask_crc(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kMaskDelta; }

}  // namespace holdfast::storage

#ifdef __x86_64__
// RocksDB has the instruction only if it was compiled for it, and distributions compile for
// the oldest processor. Its library calls the function through the dynamic linker, which
// finds ours first: a program comes before its libraries. Other processors are not
// concerned: there RocksDB asks at run time.
namespace rocksdb::crc32c {

uint32_t Extend(uint32_t before, const char* bytes, size_t count);

uint32_t Extend(uint32_t before, const char* bytes, size_t count) {
  return holdfast::storage::crc32c({bytes, count}, before);
}

}  // namespace rocksdb::crc32c
#endif
