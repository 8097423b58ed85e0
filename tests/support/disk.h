// Disk: what a World's store stands on, and what is left of it when the daemon dies.
//
//    storage::Store* store = disk.open();   // a start of the daemon
//    ...
//    disk.close();                          // its death, of whatever kind
//
// MemoryDisk is the one that never fails. The one that does is tests/crash/rocks_disk.h.
#pragma once

#include "storage/memory_store.h"

namespace holdfast::test {

class Disk {
 public:
  virtual ~Disk() = default;

  // The store, open until close(). Null: the daemon died again in the middle of opening.
  virtual storage::Store* open() = 0;
  virtual void close() = 0;

  // Something has failed under the daemon, which must stop at once (promise 8).
  virtual bool failed() const = 0;

  // Work in the background that the store may do now; a World asks after each commit.
  virtual void churn() {}
  // No faults from now on.
  virtual void heal() {}
};

class MemoryDisk final : public Disk {
 public:
  storage::Store* open() override { return &store_; }
  void close() override {}
  bool failed() const override { return false; }

  const storage::MemoryStore& store() const { return store_; }

 private:
  storage::MemoryStore store_;
};

}  // namespace holdfast::test
