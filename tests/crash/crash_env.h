// CrashEnv: RocksDB's view of a CrashDisk.
//
//    CrashDisk disk{seed};
//    CrashEnv env{disk};
//    RocksStore::open({.directory = "/db", .env = &env});
//
// Threads run for real. Sleeps are only yields, since RocksDB sleeps a second after
// an error in the background.
// Ownership  borrows the disk; outlives the store.
#pragma once

#include <rocksdb/env.h>

#include <memory>

#include "tests/crash/crash_disk.h"

namespace holdfast::crash {

class CrashEnv final : public rocksdb::EnvWrapper {
 public:
  explicit CrashEnv(CrashDisk& disk);
  const char* Name() const override { return "CrashEnv"; }
  void SleepForMicroseconds(int us) override;

 private:
  explicit CrashEnv(std::shared_ptr<rocksdb::FileSystem> file_system);
};

}  // namespace holdfast::crash
