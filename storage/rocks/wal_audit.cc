#include "storage/rocks/wal_audit.h"

#include <rocksdb/env.h>

#include <memory>

#include "storage/rocks/log_files.h"
#include "storage/rocks/log_secret.h"
#include "storage/rocks/wal_stream.h"

namespace holdfast::storage {

namespace {

AuditReport unreadable(const LiveLogs& logs, const std::string& reason) {
  AuditReport report;
  report.verdict = WalVerdict::damaged;
  report.readable = false;
  report.file = logs.names.front();
  report.sequence_in_tables = logs.sequence_in_tables;
  for (const std::string& name : logs.names) report.whole_bytes[name] = 0;
  report.sentence = reason;
  return report;
}

}  // namespace

Result<AuditReport> audit_wal(const std::string& directory, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  const Result<LiveLogs> logs = live_logs(*env, directory);
  if (!logs) return logs.error();
  if (logs->names.empty()) return WalStream{logs->sequence_in_tables}.finish();
  const Result<uint32_t> secret = read_log_secret(*env, directory);
  if (!secret && secret.error().code == Errc::corrupt) {
    return unreadable(*logs, secret.error().what);
  }
  if (!secret) return secret.error();
  WalStream stream{logs->sequence_in_tables};
  for (const std::string& name : logs->names) {
    Result<std::unique_ptr<OpenLog>> log = open_log(*env, directory + "/" + name);
    if (!log) return log.error();
    const Result<bool> go_on = stream.read_log(name, (*log)->reader);
    if (!go_on) return go_on.error();
    if (!*go_on) break;
  }
  return stream.finish();
}

}  // namespace holdfast::storage
