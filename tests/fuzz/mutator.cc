#include "tests/fuzz/mutator.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

constexpr uint64_t kMutationsMax = 8;  // of one input
constexpr size_t kBlockBytesMax = 4096;

// Where MessagePack's forms begin, and the bytes that text formats care for.
constexpr auto kTellingBytes = std::to_array<uint8_t>(
    {0x00, 0x01, 0x02, 0x03, 0x04, 0x07, 0x7F, 0x80, 0x81, 0x82, 0x8F, 0x90, 0x91, 0x94, 0x9F,
     0xA0, 0xA1, 0xBF, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCC,
     0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE,
     0xDF, 0xE0, 0xEF, 0xF4, 0xFE, 0xFF, '"',  '\\', '\n', '\r', '\'', '=',  '[',  ']',  '{',
     '}',  '.',  ',',  '-',  '_',  '#',  '+',  ' ',  '0',  '9',  'e',  'f'});

constexpr auto kTellingDecimals = std::to_array<std::string_view>(
    {"0", "1", "-1", "00", "101", "107", "255", "256", "1024", "4096", "4097", "65536", "65537",
     "2147483648", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
     "18446744073709551616", "1_0", "0x10", "0o17", "1e3", "1.5", "nan"});

bool is_digit(char character) { return '0' <= character && character <= '9'; }

// `bytes` of `input` at `at`, as a number in either byte order.
uint64_t number_at(std::string_view input, size_t at, size_t bytes, bool little_endian) {
  uint64_t number = 0;
  for (size_t n = 0; n < bytes; ++n) {
    const size_t from = little_endian ? bytes - 1 - n : n;
    number = (number << 8) | static_cast<uint8_t>(input[at + from]);
  }
  return number;
}
void put_number(std::string& input, size_t at, size_t bytes, bool little_endian, uint64_t number) {
  for (size_t n = 0; n < bytes; ++n) {
    const size_t to = little_endian ? n : bytes - 1 - n;
    input[at + to] = static_cast<char>(number & 0xFF);
    number >>= 8;
  }
}

}  // namespace

// Those that leave the shape of an input as it is stand twice: the others often leave
// nothing behind the first header that a decoder would look at.
const Mutator::Mutation Mutator::kMutations[] = {
    &Mutator::flip_bit,     &Mutator::flip_bit,    &Mutator::set_byte,
    &Mutator::set_byte,     &Mutator::set_number,  &Mutator::set_number,
    &Mutator::tweak_number, &Mutator::swap_bytes,  &Mutator::set_decimal,
    &Mutator::insert_bytes, &Mutator::insert_run,  &Mutator::insert_from_other,
    &Mutator::erase_block,  &Mutator::copy_block,  &Mutator::double_block,
    &Mutator::splice,       &Mutator::truncate,
};

std::string Mutator::next() {
  std::string input = random_.chance(2) ? std::string{} : entry();
  // One change is the likeliest: it leaves the most of a good input in place.
  uint64_t changes = 1;
  while (changes < kMutationsMax && random_.chance(50)) ++changes;
  for (; changes > 0; --changes) {
    (this->*kMutations[random_.up_to(std::size(kMutations) - 1)])(input);
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
  return input;
}

void Mutator::flip_bit(std::string& input) {
  if (input.empty()) return;
  char& byte = input[index(input)];
  byte = static_cast<char>(static_cast<uint8_t>(byte) ^ (1u << random_.up_to(7)));
}

void Mutator::set_byte(std::string& input) {
  if (input.empty()) return;
  const size_t at = index(input);
  input[at] = random_.chance(50)
                  ? static_cast<char>(random_.up_to(0xFF))
                  : static_cast<char>(kTellingBytes[random_.up_to(kTellingBytes.size() - 1)]);
}

void Mutator::set_number(std::string& input) {
  const size_t bytes = size_t{1} << random_.up_to(3);
  if (input.size() < bytes) return;
  const size_t at = random_.up_to(input.size() - bytes);
  put_number(input, at, bytes, random_.chance(50), telling_number(bytes));
}

void Mutator::tweak_number(std::string& input) {
  const size_t bytes = size_t{1} << random_.up_to(3);
  if (input.size() < bytes) return;
  const size_t at = random_.up_to(input.size() - bytes);
  const bool little_endian = random_.chance(50);
  const uint64_t change = random_.up_to(64) - 32;  // as two's complement
  const uint64_t number = number_at(input, at, bytes, little_endian) + change;
  put_number(input, at, bytes, little_endian, number);
}

// Puts another number where digits stand.
void Mutator::set_decimal(std::string& input) {
  const auto first = std::find_if(
      input.begin() + static_cast<std::ptrdiff_t>(place(input)), input.end(), is_digit);
  const auto last = std::find_if_not(first, input.end(), is_digit);
  if (first == last) return;
  input.replace(first, last, kTellingDecimals[random_.up_to(kTellingDecimals.size() - 1)]);
}

void Mutator::insert_bytes(std::string& input) {
  std::string bytes(length(16), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random_.up_to(0xFF));
  input.insert(place(input), bytes);
}

void Mutator::insert_run(std::string& input) {
  const uint8_t byte = kTellingBytes[random_.up_to(kTellingBytes.size() - 1)];
  input.insert(place(input), length(kBlockBytesMax), static_cast<char>(byte));
}

void Mutator::insert_from_other(std::string& input) {
  const std::string& other = entry();
  if (other.empty()) return;
  const Block from = block(other);
  input.insert(place(input), other, from.at, from.bytes);
}

void Mutator::erase_block(std::string& input) {
  if (input.empty()) return;
  const Block erased = block(input);
  input.erase(erased.at, erased.bytes);
}

void Mutator::double_block(std::string& input) {
  if (input.empty()) return;
  const Block doubled = block(input);
  input.insert(doubled.at, input.substr(doubled.at, doubled.bytes));
}

// Over what stands elsewhere, so that the length stays.
void Mutator::copy_block(std::string& input) {
  if (input.empty()) return;
  const Block from = block(input);
  const size_t to = random_.up_to(input.size() - from.bytes);
  input.replace(to, from.bytes, input.substr(from.at, from.bytes));
}

void Mutator::swap_bytes(std::string& input) {
  if (input.size() < 2) return;
  std::swap(input[index(input)], input[index(input)]);
}

void Mutator::splice(std::string& input) {
  const std::string& other = entry();
  input.resize(place(input));
  input.append(other, place(other));
}

void Mutator::truncate(std::string& input) { input.resize(place(input)); }

size_t Mutator::place(std::string_view input) { return random_.up_to(input.size()); }

size_t Mutator::index(std::string_view input) { return random_.up_to(input.size() - 1); }

Mutator::Block Mutator::block(std::string_view input) {
  const size_t bytes = length(std::min(input.size(), kBlockBytesMax));
  return {random_.up_to(input.size() - bytes), bytes};
}

size_t Mutator::length(size_t bytes_max) {
  return 1 + random_.up_to(random_.up_to(random_.up_to(bytes_max - 1)));
}

// Around the powers of two, where lengths and ranges have their ends.
uint64_t Mutator::telling_number(size_t bytes) {
  const uint64_t power = uint64_t{1} << random_.up_to(8 * bytes - 1);
  return power + random_.up_to(2) - 1;
}

const std::string& Mutator::entry() {
  if (corpus_.empty()) return nothing_;
  const std::string& one = corpus_[random_.up_to(corpus_.size() - 1)];
  const std::string& other = corpus_[random_.up_to(corpus_.size() - 1)];
  return other.size() < one.size() ? other : one;
}

}  // namespace holdfast::fuzz
