// bench_handler: a persistent command for `framing = "length-prefixed"` that does nothing.
//
// It says that it is ready, answers each event at once with an empty result, and ends with its
// standard input. client/PROTOCOL.md, section 7, has the frames.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kReadBytes = 256u << 10;
constexpr size_t kPrefixBytes = 8;
constexpr std::string_view kIdKey = "\"RequestId\":\"";

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_handler: %s\n", what);
  std::exit(1);
}

size_t length_at(std::string_view bytes, size_t at) {
  size_t length = 0;
  for (size_t n = 0; n < 4; ++n) length = length << 8 | static_cast<uint8_t>(bytes[at + n]);
  return length;
}

// A frame without a second part.
void append_frame(std::string& out, std::string_view head) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(head.size() >> shift));
  }
  out.append(4, '\0');
  out += head;
}

void append_answer(std::string& out, std::string_view event) {
  const size_t id_at = event.find(kIdKey);
  if (id_at == event.npos) fail("an event without its id");
  const size_t id_end = event.find('"', id_at + kIdKey.size());
  std::string head{"{"};
  head += event.substr(id_at, id_end + 1 - id_at);
  head += "}";
  append_frame(out, head);
}

// Answers what is whole, and tells how much that was.
size_t answer_all(std::string_view in, std::string& out) {
  size_t taken = 0;
  while (in.size() - taken >= kPrefixBytes) {
    const size_t head_bytes = length_at(in, taken);
    const size_t bytes = kPrefixBytes + head_bytes + length_at(in, taken + 4);
    if (in.size() - taken < bytes) break;
    append_answer(out, in.substr(taken + kPrefixBytes, head_bytes));
    taken += bytes;
  }
  return taken;
}

void write_all(std::string& out) {
  for (size_t written = 0; written < out.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, out.data() + written, out.size() - written);
    if (count < 0) fail("cannot write");
    written += static_cast<size_t>(count);
  }
  out.clear();
}

}  // namespace

int main() {
  const char* framing = std::getenv("HOLDFAST_FRAMING");
  if (framing == nullptr || std::string_view{framing} != "length-prefixed") {
    fail("the framing has to be length-prefixed");
  }
  std::string out;
  append_frame(out, "{\"Ready\":true}");
  write_all(out);
  std::string in;
  std::vector<char> piece(kReadBytes);
  ssize_t count = 0;
  while ((count = ::read(STDIN_FILENO, piece.data(), piece.size())) > 0) {
    in.append(piece.data(), static_cast<size_t>(count));
    in.erase(0, answer_all(in, out));
    write_all(out);
  }
  if (count < 0) fail("cannot read");
}
