// Runs one fuzz target without libFuzzer, so that it needs g++ alone.
//
//   fuzz_wire [--mutations N] [--seed S] [--seconds T] [FOLDER|FILE]...
//
// First every file is replayed, those of a folder in the order of their names. Then
// come N mutations of them, and more until T seconds are over. The same seed makes the
// same mutations; without one it is 1, so that a test that fails was broken by a change.
// With HOLDFAST_SOAK in the environment the seed is a new one each time and T is
// HOLDFAST_FUZZ_SECONDS, or 600.
//
// The target runs in a child process. Whatever ends the child, a failed CHECK, a
// sanitizer, a signal or a timeout, the parent still has the input: it writes it to
// crash-TARGET-NUMBER in the working folder and prints the command that repeats it.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "storage/base/random.h"
#include "tests/fuzz/mutator.h"
#include "tests/fuzz/target.h"

// A length that an input claims must not become memory before its bytes are there.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=64:hard_rss_limit_mb=2048";
}
extern "C" const char* __ubsan_default_options() {
  return "halt_on_error=1:print_stacktrace=1";
}

namespace holdfast::fuzz {
namespace {

// One input takes milliseconds; the margin is for a busy machine.
constexpr unsigned kInputSecondsMax = 60;
constexpr uint64_t kSecondsOfSoak = 600;
constexpr uint64_t kInputsPerLookAtTheClock = 64;

struct Options {
  uint64_t mutations = 0;
  uint64_t seed = 1;
  uint64_t seconds = 0;
  std::vector<std::filesystem::path> places;
};

struct Corpus {
  std::vector<std::string> names;
  std::vector<std::string> inputs;
};

// What the child is at, in memory that outlives it.
struct Progress {
  uint64_t mutations;
  std::array<char, 256> origin;  // of the input
  size_t input_bytes;
  std::array<char, kInputBytesMax> input;
};

[[noreturn]] void give_up(const std::string& reason) {
  std::fprintf(stderr, "%s\n", reason.c_str());
  std::exit(2);
}

uint64_t parse_number(const char* text) {
  char* end = nullptr;
  const uint64_t number = std::strtoull(text, &end, 10);
  if (*text == '\0' || *end != '\0') give_up(std::string{text} + " is not a number");
  return number;
}

Options parse(int argc, char** argv) {
  Options options;
  if (std::getenv("HOLDFAST_SOAK") != nullptr) {
    const char* seconds = std::getenv("HOLDFAST_FUZZ_SECONDS");
    options.seconds = seconds == nullptr ? kSecondsOfSoak : parse_number(seconds);
    options.seed = std::random_device{}();
  }
  for (int n = 1; n < argc; ++n) {
    const std::string argument{argv[n]};
    if (!argument.starts_with("--")) {
      options.places.emplace_back(argument);
      continue;
    }
    if (++n == argc) give_up(argument + " needs a number");
    uint64_t* number = argument == "--mutations" ? &options.mutations
                       : argument == "--seed"    ? &options.seed
                       : argument == "--seconds" ? &options.seconds
                                                 : nullptr;
    if (number == nullptr) give_up("there is no option " + argument);
    *number = parse_number(argv[n]);
  }
  return options;
}

void add_file(Corpus& corpus, const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) give_up("cannot read " + path.string());
  std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  if (bytes.size() > kInputBytesMax) give_up(path.string() + " is larger than an input may be");
  corpus.names.push_back(path.string());
  corpus.inputs.push_back(std::move(bytes));
}

Corpus load(const std::vector<std::filesystem::path>& places) {
  Corpus corpus;
  for (const std::filesystem::path& place : places) {
    if (!std::filesystem::is_directory(place)) {
      add_file(corpus, place);
      continue;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& file : std::filesystem::directory_iterator{place}) files.push_back(file);
    if (files.empty()) give_up(place.string() + " is empty: is it the corpus?");
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files) add_file(corpus, file);
  }
  return corpus;
}

void run(Progress& progress, const std::string& origin, const std::string& input) {
  std::snprintf(progress.origin.data(), progress.origin.size(), "%s", origin.c_str());
  std::memcpy(progress.input.data(), input.data(), input.size());
  progress.input_bytes = input.size();
  ::alarm(kInputSecondsMax);
  // A copy of exactly its size, so that the address sanitizer sees a step beyond it.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  ::alarm(0);
}

void run_all(const Options& options, const Corpus& corpus, Progress& progress) {
  for (size_t n = 0; n < corpus.inputs.size(); ++n) {
    run(progress, corpus.names[n], corpus.inputs[n]);
  }
  Random random{options.seed};
  Mutator mutator{corpus.inputs, random};
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{options.seconds};
  for (;; ++progress.mutations) {
    if (progress.mutations >= options.mutations &&
        (options.seconds == 0 || (progress.mutations % kInputsPerLookAtTheClock == 0 &&
                                  std::chrono::steady_clock::now() >= until))) {
      return;
    }
    run(progress, "mutation " + std::to_string(progress.mutations) + " of this seed",
        mutator.next());
  }
}

Progress& shared_progress() {
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) give_up("no memory to share with the child");
  return *new (memory) Progress{};
}

std::string ending_of(int status) {
  if (WIFEXITED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  if (signal != SIGALRM) return "was killed by signal " + std::to_string(signal);
  return "took more than " + std::to_string(kInputSecondsMax) + " seconds";
}

void report(const Progress& progress, int status) {
  const std::filesystem::path program = std::filesystem::canonical("/proc/self/exe");
  const std::string_view input{progress.input.data(), progress.input_bytes};
  std::string name = program.filename().string();
  if (name.starts_with("fuzz_")) name.erase(0, 5);
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016" PRIx64, number_of(input));
  const std::filesystem::path kept =
      std::filesystem::current_path() / ("crash-" + name + "-" + digits.data());
  std::ofstream file{kept, std::ios::binary};
  file << input << std::flush;
  std::fprintf(stderr, "\nThe target %s.\ninput: %s, %zu bytes\n%s %s\nto repeat: %s %s\n",
               ending_of(status).c_str(), progress.origin.data(), progress.input_bytes,
               file ? "kept as:" : "CANNOT BE WRITTEN:", kept.c_str(), program.c_str(),
               kept.c_str());
}

int main_of_driver(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const Corpus corpus = load(options.places);
  Progress& progress = shared_progress();
  std::printf("seed %" PRIu64 "\n", options.seed);  // first, so that a crash cannot hide it
  std::fflush(stdout);

  const pid_t child = ::fork();
  if (child < 0) give_up("cannot start the child");
  if (child == 0) {
    run_all(options, corpus, progress);
    return 0;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    report(progress, status);
    return 1;
  }
  std::printf("%zu files of the corpus and %" PRIu64 " mutations\n", corpus.inputs.size(),
              progress.mutations);
  return 0;
}

}  // namespace
}  // namespace holdfast::fuzz

int main(int argc, char** argv) { return holdfast::fuzz::main_of_driver(argc, argv); }
