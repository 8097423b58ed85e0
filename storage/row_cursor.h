// RowCursor: the rows of one family, one at a time and in order, for those who walk
// over two families side by side. It reads a page of rows at once.
//
//    RowCursor waiting{store, Family::waiting};
//    while (const RowCursor::Row* row = waiting.row()) { use(*row); waiting.advance(); }
//    if (waiting.failure()) return *waiting.failure();
//
// Ownership  borrows the store. Memory  one page: kRowsPerPage rows, copied.
// Failure    ends the walk like the last row does: look at failure() afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/rows.h"

namespace holdfast::storage {

class RowCursor {
 public:
  struct Row {
    std::string key;
    std::string value;
  };
  static constexpr size_t kRowsPerPage = 512;

  RowCursor(const Store& store, Family family) : store_(store), family_(family) { read_page({}); }

  // The current one; null behind the last.
  const Row* row() const { return next_ < page_.size() ? &page_[next_] : nullptr; }

  void advance() {
    if (++next_ < page_.size() || page_.size() < kRowsPerPage) return;
    read_page(key_after(page_.back().key));
  }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  void read_page(std::string from) {
    page_.clear();
    next_ = 0;
    const auto take = [this](std::string_view key, std::string_view value) {
      page_.push_back({std::string{key}, std::string{value}});
      return page_.size() < kRowsPerPage;
    };
    const ScanRange range{.family = family_, .from = std::move(from), .to = {}, .reverse = false};
    if (const Result<> read = store_.scan(range, take); !read) {
      failure_ = read.error();
      page_.clear();
    }
  }

  const Store& store_;
  const Family family_;
  std::vector<Row> page_;
  size_t next_ = 0;
  std::optional<Error> failure_;
};

}  // namespace holdfast::storage
