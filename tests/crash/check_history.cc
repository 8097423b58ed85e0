// check_history FILE: reads the history of a run with real processes (history.py has the
// words) and asks the HistoryChecker of the simulation whether every promise was kept.
//
// Prints the complaints, a line each, then what it saw; exit status 1 if there are any.
//
// From outside an ending is not seen when it happens. But what is found when all is over
// says when it did, and the same clock stands in every line; so everything can be put in
// the order in which it happened, and told to the checker one after the other.
//
// Rule    Of lives that a redrive followed, the records in the destinations testify.
// Reason  The lists show the last ending only; each life that fails leaves one record.
#include <cstdio>
#include <fstream>

#include "tests/crash/black_box.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: check_history FILE\n");
    return 2;
  }
  std::ifstream file{argv[1]};
  holdfast::crash::BlackBox box;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) box.take_in(line);
  }
  const std::vector<std::string> complaints = box.judge();
  for (const std::string& complaint : complaints) std::printf("%s\n", complaint.c_str());
  std::printf("%s\n", box.summary().c_str());
  return complaints.empty() ? 0 : 1;
}
