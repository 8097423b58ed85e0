// CRC-32C (Castagnoli), the checksum of every record in RocksDB's logs: by the processor's
// instruction where it has one, else by table.
//
//    crc32c("123456789")  -> 0xE3069283
//
// Rule    On x86 it takes the place of RocksDB's own, for the whole process.
// Reason  A library that was built for the oldest processor has the table only, and then
//         the checksum is a third of what a commit costs.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::storage {

// Of `bytes`, going on from the checksum of what stood before them.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

// The same without the instruction.
uint32_t crc32c_by_table(std::string_view bytes, uint32_t before = 0);

// RocksDB stores checksums masked, since a checksum over bytes that hold checksums
// is a poor one.
uint32_t mask_crc(uint32_t crc);

}  // namespace holdfast::storage
