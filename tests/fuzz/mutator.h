// Mutator: new inputs out of the corpus, by what libFuzzer does too: bits flipped, bytes
// and numbers set to where rules begin and end, blocks inserted, erased, doubled, and
// spliced from one entry into another.
//
//    Mutator mutator{corpus, random};
//    const std::string input = mutator.next();
//
// Ownership  corpus and random outlive it. Threads  one. Failure  none; without a corpus
// it begins with nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/random.h"

namespace holdfast::fuzz {

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, Random& random)
      : corpus_(corpus), random_(random) {}

  std::string next();  // at most kInputBytesMax

 private:
  using Mutation = void (Mutator::*)(std::string&);
  static const Mutation kMutations[];

  // Each does nothing to an input that is too short for it.
  void flip_bit(std::string& input);
  void set_byte(std::string& input);
  void set_number(std::string& input);
  void tweak_number(std::string& input);
  void set_decimal(std::string& input);
  void insert_bytes(std::string& input);
  void insert_run(std::string& input);
  void insert_from_other(std::string& input);
  void erase_block(std::string& input);
  void double_block(std::string& input);
  void copy_block(std::string& input);
  void swap_bytes(std::string& input);
  void splice(std::string& input);
  void truncate(std::string& input);

  struct Block {
    size_t at = 0;
    size_t bytes = 0;
  };
  size_t place(std::string_view input);  // may be its end
  size_t index(std::string_view input);  // input is not empty
  Block block(std::string_view input);   // input is not empty
  size_t length(size_t bytes_max);       // short ones are likelier
  uint64_t telling_number(size_t bytes);
  const std::string& entry();  // small ones are likelier

  const std::vector<std::string>& corpus_;
  Random& random_;
  std::string nothing_;
};

}  // namespace holdfast::fuzz
