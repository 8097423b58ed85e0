#include <rocksdb/listener.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/crash_point.h"
#include "storage/base/mutant.h"
#include "storage/rocks/database.h"
#include "storage/rocks/log_files.h"
#include "storage/rocks/log_secret.h"
#include "storage/rocks/store_env.h"
#include "storage/rocks/synced_manifest.h"
#include "storage/rocks/wal_cut.h"

namespace holdfast::storage {

namespace {

constexpr std::string_view kSideFileName = "acknowledged";

// RocksDB's background work failed: from now on we refuse as after a failed commit.
// Its own attempts to go on are what 7.8 does wrong, so they never begin.
class FailureListener final : public rocksdb::EventListener {
 public:
  explicit FailureListener(std::shared_ptr<FirstFailure> failure) : failure_(std::move(failure)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* status) override {
    failure_->set(to_error(*status, "RocksDB's background work failed"));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::shared_ptr<FirstFailure> failure_;
};

// The threads of flushes and compactions are RocksDB's; this is where we meet them.
class CountersListener final : public rocksdb::EventListener {
 public:
  void OnFlushBegin(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*job*/) override {
    stop_counting();
  }
  void OnCompactionBegin(rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& /*job*/) override {
    stop_counting();
  }
};

// RocksDB's own log file is not made: once it cannot be written (a full disk), the next
// line trips an assertion of 7.8 and ends the process. Its warnings go to the caller.
class WarningLogger final : public rocksdb::Logger {
 public:
  explicit WarningLogger(std::function<void(std::string_view)> on_warning)
      : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), on_warning_(std::move(on_warning)) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (!on_warning_) return;
    std::array<char, 1024> line{};
    const int bytes = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (bytes < 0) return;
    on_warning_({line.data(), std::min(static_cast<size_t>(bytes), line.size() - 1)});
  }
  // A list of all options at every start.
  void LogHeader(const char* /*format*/, va_list /*arguments*/) override {}

 private:
  const std::function<void(std::string_view)> on_warning_;
};

// Holds RocksDB's own lock while the log is audited, so that it stands still.
class DirectoryLock {
 public:
  static Result<DirectoryLock> take(rocksdb::Env& env, const std::string& directory) {
    rocksdb::FileLock* lock = nullptr;
    const rocksdb::Status status = env.LockFile(directory + "/LOCK", &lock);
    if (!status.ok()) {
      return Error{Errc::refused, directory + " is in use by another process, or its LOCK file " +
                                      "cannot be written: " + status.ToString()};
    }
    return DirectoryLock{env, lock};
  }
  DirectoryLock(DirectoryLock&& other) noexcept
      : env_(other.env_), lock_(std::exchange(other.lock_, nullptr)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock() {
    if (lock_ != nullptr) env_.UnlockFile(lock_);
  }

 private:
  DirectoryLock(rocksdb::Env& env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}

  rocksdb::Env& env_;
  rocksdb::FileLock* lock_;
};

bool ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

// A database without its CURRENT file looks new to RocksDB, which would then make an
// empty one in its place. True if there is nothing yet.
Result<bool> is_new(rocksdb::Env& env, const std::string& directory) {
  if (env.FileExists(directory + "/CURRENT").ok()) return false;
  std::vector<std::string> names;
  const rocksdb::Status listed = env.GetChildren(directory, &names);
  if (listed.IsNotFound()) return true;
  if (!listed.ok()) return to_error(listed, "cannot list " + directory);
  for (const std::string& name : names) {
    if (ends_with(name, ".sst") || ends_with(name, ".log") || name == kSideFileName) {
      return Error{Errc::corrupt,
                   directory + " holds " + name + " but no CURRENT file: the database is damaged"};
    }
  }
  return true;
}

// What the side file knows and the database has not got.
std::optional<std::string> missing_commits(const OpenReport& report,
                                           std::optional<uint64_t> recovered) {
  if (!report.acknowledged_sequence || !recovered) return std::nullopt;
  if (*recovered >= *report.acknowledged_sequence) return std::nullopt;
  return "Writes up to sequence " + std::to_string(*report.acknowledged_sequence) +
         " had been acknowledged, but the log ends with " + std::to_string(*recovered) + ".";
}

// Acknowledged data is missing: only a reader, or an operator who knows, may go on.
Result<> judge_loss(const OpenOptions& options, OpenReport& report, const std::string& sentence) {
  report.audit.verdict = WalVerdict::damaged;
  report.audit.sentence = sentence;
  report.loss_accepted = options.accept_loss;
  if (options.read_only || options.accept_loss) return ok();
  return Error{Errc::corrupt, report.audit.sentence};
}

// RocksDB takes some damage to its MANIFEST for the end of it, and forgets families and
// files that were there. What is known to have been synced must check out.
Result<> audit_manifest(rocksdb::Env& env, const std::string& directory) {
  const Result<CurrentManifest> manifest = current_manifest(env, directory);
  if (!manifest) return manifest.error();
  if (manifest->path.empty()) return ok();
  const std::optional<uint64_t> synced = SyncedManifest{env, manifest->path}.bytes();
  const uint64_t whole = manifest->summary.whole_bytes;
  if (!synced || whole >= *synced) return ok();
  return Error{Errc::corrupt, manifest->path + " is damaged at byte " + std::to_string(whole) +
                                  ": the list of table files ends there, and had " +
                                  std::to_string(*synced) + " bytes"};
}

// Judges the logs before RocksDB sees them, since opening replays and deletes them.
Result<> audit(const OpenOptions& options, rocksdb::Env& env, OpenReport& report) {
  if (broken(Mutant::audit_skipped)) return ok();
  if (const Result<> intact = audit_manifest(env, options.directory); !intact) return intact;
  Result<AuditReport> audited = audit_wal(options.directory, &env);
  if (!audited) return audited.error();
  report.audit = std::move(*audited);
  if (report.audit.verdict == WalVerdict::damaged) {
    return judge_loss(options, report, report.audit.sentence);
  }
  // Without a value nothing is larger: std::optional orders so.
  const auto missing = missing_commits(
      report, std::max(report.audit.last_good_sequence, report.audit.sequence_in_tables));
  if (missing) return judge_loss(options, report, report.audit.sentence + " " + *missing);
  return ok();
}

// RocksDB syncs what is in its directory; that the directory is there is our part.
Result<> make_directory(rocksdb::Env& env, const std::string& path) {
  rocksdb::Status status = env.CreateDirIfMissing(path);
  const size_t slash = path.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::unique_ptr<rocksdb::Directory> directory;
  if (status.ok()) status = env.NewDirectory(parent, &directory);
  if (status.ok()) status = directory->Fsync();
  if (!status.ok()) return to_error(status, "cannot make " + path);
  return ok();
}

// Made if there is none, and no log that it could belong to: the database is new, or the logs
// have been cut.
Result<> have_log_secret(rocksdb::Env& env, const std::string& directory) {
  const Result<uint32_t> secret = read_log_secret(env, directory);
  if (secret) return ok();
  const Result<LiveLogs> logs = live_logs(env, directory);
  if (!logs) return logs.error();
  for (const std::string& name : logs->names) {
    uint64_t bytes = 0;
    if (!env.GetFileSize(directory + "/" + name, &bytes).ok() || bytes > 0) return secret.error();
  }
  return make_log_secret(env, directory);
}

Result<> audit_under_lock(const OpenOptions& options, rocksdb::Env& env, OpenReport& report) {
  if (options.read_only) return audit(options, env, report);
  if (report.created) {
    if (const Result<> made = make_directory(env, options.directory); !made) return made;
  }
  const Result<DirectoryLock> lock = DirectoryLock::take(env, options.directory);
  if (!lock) return lock.error();
  if (const Result<> audited = audit(options, env, report); !audited) return audited;
  if (report.loss_accepted) {
    const Result<> cut = cut_logs(env, options.directory, report.audit);
    if (!cut) return cut;
  }
  return have_log_secret(env, options.directory);
}

Result<> open_rocksdb(const OpenOptions& options, Database& database) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families{
      {rocksdb::kDefaultColumnFamilyName, default_family_options(database.parts)}};
  for (const FamilyRow& row : kFamilies) {
    families.emplace_back(std::string{row.name}, family_options(database.parts, row.family));
  }
  rocksdb::DBOptions db_options = database_options(database.parts, *database.env);
  db_options.listeners.push_back(std::make_shared<FailureListener>(database.failure));
  db_options.listeners.push_back(std::make_shared<CountersListener>());
  db_options.info_log = std::make_shared<WarningLogger>(options.on_warning);

  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(db_options, options.directory, families, &handles, &db)
          : rocksdb::DB::Open(db_options, options.directory, families, &handles, &db);
  if (!status.ok()) return to_error(status, "cannot open the database " + options.directory);
  database.db.reset(db);
  database.default_family = handles[0];
  std::copy(handles.begin() + 1, handles.end(), database.families.begin());
  return ok();
}

}  // namespace

Error to_error(const rocksdb::Status& status, const std::string& doing) {
  const std::string what = doing + ": " + status.ToString();
  if (status.IsCorruption()) return Error{Errc::corrupt, what};
  if (status.IsNoSpace()) return Error{Errc::full, what};
  if (status.IsNotFound()) return Error{Errc::not_found, what};
  if (status.IsInvalidArgument() || status.IsNotSupported()) return Error{Errc::invalid, what};
  return Error{Errc::io, what};
}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* family : families) {
    if (family != nullptr) db->DestroyColumnFamilyHandle(family);
  }
  if (default_family != nullptr) db->DestroyColumnFamilyHandle(default_family);
}

Result<std::unique_ptr<Database>> open_database(const OpenOptions& options, OpenReport& report) {
  const auto started = std::chrono::steady_clock::now();
  rocksdb::Env& base = options.env != nullptr ? *options.env : *rocksdb::Env::Default();
  const Result<bool> created = is_new(base, options.directory);
  if (!created) return created.error();
  if (*created && options.read_only) {
    return Error{Errc::not_found, "there is no database in " + options.directory};
  }
  report.created = *created;

  const std::string side_path = options.directory + "/" + std::string{kSideFileName};
  report.acknowledged_sequence = SideFile::read(base, side_path);
  const Result<> audited = audit_under_lock(options, base, report);
  if (!audited) return audited.error();
  crash_point("after_audit");

  auto database = std::make_unique<Database>();
  database->env = store_env(
      base, options.env != nullptr ? PrepareLogs::in_small_steps : PrepareLogs::where_it_pays,
      report.audit.whole_bytes);
  database->read_only = options.read_only;
  const Result<> opened = open_rocksdb(options, *database);
  if (!opened) return opened.error();

  // Once more, for when all logs are gone and the audit had nothing to compare.
  report.sequence = database->db->GetLatestSequenceNumber();
  const auto missing = missing_commits(report, report.sequence);
  if (missing && report.audit.verdict != WalVerdict::damaged) {
    const Result<> judged = judge_loss(options, report, *missing);
    if (!judged) return judged.error();
  }
  crash_point("before_first_side_file");
  if (!options.read_only) {
    database->side_file = SideFile::open_or_none(base, side_path);
    if (!report.loss_accepted) database->side_file.write(report.sequence);
  }
  report.duration = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started);
  return database;
}

}  // namespace holdfast::storage
