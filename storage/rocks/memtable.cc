#include "storage/rocks/memtable.h"

#include <deque>
#include <mutex>
#include <new>
#include <vector>

#include "storage/base/check.h"
#include "storage/rocks/entry_list.h"
#include "storage/rocks/hash_list.h"

namespace holdfast::storage {

namespace {

// Memory for the cursors of one memtable. RocksDB wants an iterator in an arena of its own,
// of which its headers show nothing, and then never frees it: it only calls the destructor.
// So a cursor goes back to its memtable by its destructor.
class CursorMemory {
 public:
  static constexpr size_t kBytes = 64;

  void* take() {
    const std::lock_guard lock{mutex_};
    if (free_.empty()) return places_.emplace_back().bytes;
    void* place = free_.back();
    free_.pop_back();
    return place;
  }

  void give_back(void* place) {
    const std::lock_guard lock{mutex_};
    free_.push_back(place);
  }

 private:
  struct Place {
    alignas(std::max_align_t) char bytes[kBytes];
  };

  std::mutex mutex_;
  std::deque<Place> places_;
  std::vector<void*> free_;
};

// What is left of a cursor when the rest is destroyed: bases go in the reverse order, so
// this one, being the first, is the last to touch the memory that it gives back.
class Lent {
 public:
  Lent(CursorMemory* memory, void* place) : memory_(memory), place_(place) {}
  ~Lent() {
    if (memory_ != nullptr) memory_->give_back(place_);
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

 private:
  CursorMemory* const memory_;  // null: it lies elsewhere
  void* const place_;
};

template <class List>
class Cursor final : private Lent, public rocksdb::MemTableRep::Iterator {
 public:
  explicit Cursor(const List& list) : Lent(nullptr, nullptr), list_(list) {}

  static Cursor* in(CursorMemory& memory, const List& list) {
    void* place = memory.take();
    return ::new (place) Cursor{list, memory, place};
  }

  // Where RocksDB does delete it, the destructor has done all.
  static void operator delete(void*) {}

  bool Valid() const override { return node_ != nullptr; }
  const char* key() const override { return node_->entry(); }
  void Next() override { node_ = list_.next(node_); }
  void Prev() override { node_ = list_.before(node_->key()); }
  void Seek(const rocksdb::Slice& key, const char* /*encoded*/) override {
    node_ = list_.at_or_behind(EntryKey::of_internal(key.ToStringView()));
  }
  void SeekForPrev(const rocksdb::Slice& key, const char* /*encoded*/) override {
    const EntryKey sought = EntryKey::of_internal(key.ToStringView());
    node_ = list_.at_or_behind(sought);
    if (node_ == nullptr || compare(node_->key(), sought) > 0) {
      node_ = list_.before(sought);
    }
  }
  void SeekToFirst() override { node_ = list_.first(); }
  void SeekToLast() override { node_ = list_.last(); }

 private:
  Cursor(const List& list, CursorMemory& memory, void* place)
      : Lent(&memory, place), list_(list) {
    static_assert(sizeof(Cursor) <= CursorMemory::kBytes);
  }

  const List& list_;
  const EntryNode* node_ = nullptr;
};

// The cursor that the Get() of this thread looks with.
thread_local rocksdb::MemTableRep::Iterator* looking = nullptr;

template <class List>
class Memtable final : public rocksdb::MemTableRep {
 public:
  explicit Memtable(rocksdb::Allocator* allocator) : MemTableRep(allocator) {}

  rocksdb::KeyHandle Allocate(const size_t bytes, char** entry) override {
    char* memory = nullptr;
    height_ = list_.draw_height();
    MemTableRep::Allocate(EntryNode::bytes(height_, bytes), &memory);
    allocated_ = EntryNode::make(memory, height_);
    *entry = allocated_->entry();
    return allocated_;
  }

  void Insert(rocksdb::KeyHandle handle) override {
    CHECK(handle == allocated_);
    list_.insert(allocated_, height_);
    allocated_ = nullptr;
  }

  bool Contains(const char* entry) const override {
    const EntryKey key = EntryKey::of_entry(entry);
    const EntryNode* found = list_.at_or_behind(key);
    return found != nullptr && compare(found->key(), key) == 0;
  }

  // Only RocksDB's own Get() can read its LookupKey. It asks for an iterator, and forgets to
  // delete it: it gets one that is ours.
  void Get(const rocksdb::LookupKey& key, void* argument,
           bool (*take)(void* argument, const char* entry)) override {
    Cursor<List> cursor{list_};
    looking = &cursor;
    MemTableRep::Get(key, argument, take);
    looking = nullptr;
  }

  Iterator* GetDynamicPrefixIterator(rocksdb::Arena* arena) override {
    return arena == nullptr && looking != nullptr ? looking : GetIterator(arena);
  }

  Iterator* GetIterator(rocksdb::Arena* /*arena*/) override {
    return Cursor<List>::in(cursors_, list_);
  }

  // Not told: cursors, which are few, and the heads of a HashList, which are a quarter of a
  // megabyte. RocksDB asserts that a memtable which is no longer written does not grow.
  size_t ApproximateMemoryUsage() override { return 0; }

 private:
  List list_;
  EntryNode* allocated_ = nullptr;  // not inserted yet
  int height_ = 0;                        // its
  CursorMemory cursors_;
};

template <class List>
class Factory final : public rocksdb::MemTableRepFactory {
 public:
  explicit Factory(const char* name) : name_(name) {}

  using MemTableRepFactory::CreateMemTableRep;
  rocksdb::MemTableRep* CreateMemTableRep(const rocksdb::MemTableRep::KeyComparator&,
                                          rocksdb::Allocator* allocator,
                                          const rocksdb::SliceTransform*,
                                          rocksdb::Logger*) override {
    return new Memtable<List>{allocator};
  }
  const char* Name() const override { return name_; }

 private:
  const char* const name_;
};

}  // namespace

std::shared_ptr<rocksdb::MemTableRepFactory> entry_list_factory() {
  return std::make_shared<Factory<EntryList>>("holdfast.entry_list");
}

std::shared_ptr<rocksdb::MemTableRepFactory> hash_list_factory() {
  return std::make_shared<Factory<HashList>>("holdfast.hash_list");
}

}  // namespace holdfast::storage
