// CRC-32C (Castagnoli), the checksum of every record in RocksDB's logs, eight bytes
// a step by table: no instruction set is assumed.
//
//    crc32c("123456789")  -> 0xE3069283
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::storage {

// Of `bytes`, going on from the checksum of what stood before them.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

// RocksDB stores checksums masked, since a checksum over bytes that hold checksums
// is a poor one.
uint32_t mask_crc(uint32_t crc);

}  // namespace holdfast::storage
