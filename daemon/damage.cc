#include "daemon/damage.h"

#include <algorithm>

namespace holdfast::daemon {
namespace {

// Ids sort by their number, so two of them without function mark a stretch.
std::string mark(storage::Seq seq, storage::BoxTag box) {
  return storage::to_request_id({storage::FunctionId{}, storage::Lane{}, seq}, box);
}

std::string unnamed_of(const storage::Loss& loss) {
  if (loss.unnamed_from == storage::Seq{}) {
    return "No earlier state of the box is left: any event may be lost, and nothing names it.";
  }
  const std::string from = mark(loss.unnamed_from, loss.box);
  if (!loss.unnamed_to) {
    return "Events with a RequestId from " + from +
           " on were accepted in the part that is gone, if there were any, and nothing names them.";
  }
  if (*loss.unnamed_to <= loss.unnamed_from) return "";
  return "Beside them, events with a RequestId from " + from + " to " +
         mark(*loss.unnamed_to, loss.box) +
         " may have been accepted in the damaged bytes themselves, and nothing names those.";
}

}  // namespace

std::string place_of_damage(const storage::OpenReport& report, const std::string& directory) {
  if (!report.audit.readable) {
    return directory + ", whose logs cannot be read without log_secret (put it back from a backup, "
                       "if there is one)";
  }
  if (!report.audit.file.empty()) {
    return directory + "/" + report.audit.file + " at byte " + std::to_string(report.audit.offset);
  }
  if (report.audit.verdict == storage::WalVerdict::damaged) {
    return directory + ", where the end of the log is missing";
  }
  return directory + ", in other files than the log";
}

std::string refusal_of_damage(const storage::OpenReport& report, const std::string& directory) {
  return "this box is read-only, because acknowledged data is damaged in " +
         place_of_damage(report, directory) +
         "; nothing was kept or changed. An operator must look at the log and then run "
         "`holdfastd --accept-wal-loss`";
}

std::string refusal_of_damaged_tables(const std::string& finding) {
  return "this box is read-only, because data on its disk is damaged: " + finding +
         "; nothing was kept or changed. An operator must stop the daemon, run `holdfastd "
         "--verify`, take out what can be read, and restore a backup or begin with an empty state "
         "directory";
}

std::string summary_of(const storage::Loss& loss) {
  const auto kept = std::count_if(loss.events.begin(), loss.events.end(),
                                  [](const storage::LostEvent& event) { return event.kept; });
  const size_t gone = loss.events.size() - static_cast<size_t>(kept);
  if (loss.batch_count == 0) {
    return "Nothing that can be read stands behind the damage. " + unnamed_of(loss);
  }
  std::string text = "Behind the damage stand " + std::to_string(loss.batch_count) +
                     " intact commits, which are lost with it. They concern " +
                     (loss.all_events ? "" : "more than ") + std::to_string(loss.events.size()) +
                     " events: " + std::to_string(gone) +
                     " were accepted there and are lost, " + std::to_string(kept) +
                     " go back to an earlier state and may run once more.";
  if (loss.unreadable_count > 0) {
    text += " " + std::to_string(loss.unreadable_count) + " more commits cannot be understood.";
  }
  const std::string unnamed = unnamed_of(loss);
  return unnamed.empty() ? text : text + " " + unnamed;
}

std::vector<std::string> lines_of(const storage::Loss& loss, size_t lines_max) {
  std::vector<std::string> lines;
  for (const storage::LostEvent& event : loss.events) {
    if (lines.size() == lines_max) break;
    lines.push_back((event.kept ? "set back  " : "lost      ") +
                    storage::to_request_id(event.id, loss.box));
  }
  return lines;
}

std::string remedy_of_damage() {
  return "Until the loss is accepted the box stays read-only: status, lists, events and payloads "
         "can be read, nothing runs. To accept it: stop the daemon, run `holdfastd "
         "--accept-wal-loss`, start it. That copies the evidence aside and goes on with what "
         "stands before the damage. There is no other repair but a backup.";
}

}  // namespace holdfast::daemon
