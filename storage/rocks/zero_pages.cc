#include "storage/rocks/zero_pages.h"

#include <sys/mman.h>

#include "storage/base/check.h"

namespace holdfast::storage {

namespace {

char* map(size_t bytes) {
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return static_cast<char*>(memory);
}

}  // namespace

ZeroPages::ZeroPages(size_t bytes) : bytes_(bytes), data_(map(bytes)) {}

ZeroPages::~ZeroPages() { ::munmap(data_, bytes_); }

}  // namespace holdfast::storage
