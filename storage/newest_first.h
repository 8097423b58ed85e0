// NewestFirst: rows of several key ranges as one list, highest number first.
//
// Disk order is rising and per function; people want the newest of all functions.
// Each range is read backwards in small chunks, and the chunks are merged:
//
//    NewestFirst<Row> rows{store, Family::dead_letters, ranges, 16, parse};
//    while (true) {
//      Result<std::optional<Row>> row = rows.next();
//      if (!row) return row.error();
//      if (!*row) break;  // no more
//      ...
//    }
//
// A Row has a `seq` by which it is ordered; within a range, keys rise with it.
// Memory: one chunk per range. Failure: that of the store or of `parse`.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/rows.h"

namespace holdfast::storage {

template <class Row>
class NewestFirst {
 public:
  struct Range {
    std::string from;  // inclusive
    std::string to;    // exclusive
  };
  using Parse = std::function<Result<Row>(std::string_view key, std::string_view value)>;

  NewestFirst(const Store& store, Family family, std::vector<Range> ranges, size_t chunk_rows,
              Parse parse)
      : store_(store), family_(family), chunk_rows_(chunk_rows), parse_(std::move(parse)) {
    for (Range& range : ranges) sources_.push_back({std::move(range), {}, false});
  }

  // The next lower row; empty: there is none.
  Result<std::optional<Row>> next() {
    if (!started_) {
      started_ = true;
      for (size_t n = 0; n < sources_.size(); ++n) {
        if (const Result<> moved = enqueue(n); !moved) return moved.error();
      }
    }
    if (heap_.empty()) return std::optional<Row>{};
    std::pop_heap(heap_.begin(), heap_.end());
    const size_t newest = heap_.back().second;
    heap_.pop_back();
    std::optional<Row> row{std::move(sources_[newest].chunk.front())};
    sources_[newest].chunk.pop_front();
    if (const Result<> moved = enqueue(newest); !moved) return moved.error();
    return row;
  }

 private:
  struct Source {
    Range range;  // what has not been read yet
    std::deque<Row> chunk;
    bool read_whole = false;
  };

  // Puts the first row of a source into the race, if it still has one.
  Result<> enqueue(size_t number) {
    Source& source = sources_[number];
    if (source.chunk.empty() && !source.read_whole) {
      if (const Result<> filled = fill(source); !filled) return filled.error();
    }
    if (source.chunk.empty()) return ok();
    heap_.emplace_back(source.chunk.front().seq, number);
    std::push_heap(heap_.begin(), heap_.end());
    return ok();
  }

  Result<> fill(Source& source) {
    source.read_whole = true;
    if (!source.range.to.empty() && source.range.to <= source.range.from) return ok();
    std::string lowest;
    const ScanRange range{family_, source.range.from, source.range.to, true};
    const Result<> walked =
        scan_rows(store_, range, [&](std::string_view key, std::string_view value) -> Result<bool> {
          if (source.chunk.size() == chunk_rows_) {
            source.read_whole = false;
            return false;
          }
          Result<Row> row = parse_(key, value);
          if (!row) return row.error();
          source.chunk.push_back(std::move(*row));
          lowest = key;
          return true;
        });
    if (!walked) return walked.error();
    if (!lowest.empty()) source.range.to = lowest;
    return ok();
  }

  const Store& store_;
  const Family family_;
  const size_t chunk_rows_;
  const Parse parse_;
  std::vector<Source> sources_;
  std::vector<std::pair<Seq, size_t>> heap_;  // newest row and number of each source
  bool started_ = false;
};

}  // namespace holdfast::storage
