// ZeroPages: memory full of zeros, of which the system gives pages as they are written. What
// is only read, or not touched at all, costs none.
#pragma once

#include <cstddef>

namespace holdfast::storage {

class ZeroPages {
 public:
  explicit ZeroPages(size_t bytes);
  ~ZeroPages();
  ZeroPages(const ZeroPages&) = delete;
  ZeroPages& operator=(const ZeroPages&) = delete;

  // Aligned for anything.
  char* data() const { return data_; }

 private:
  const size_t bytes_;
  char* const data_;
};

}  // namespace holdfast::storage
