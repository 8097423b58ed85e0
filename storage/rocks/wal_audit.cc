#include "storage/rocks/wal_audit.h"

#include <rocksdb/env.h>

#include <memory>

#include "storage/rocks/log_files.h"
#include "storage/rocks/wal_stream.h"

namespace holdfast::storage {

Result<AuditReport> audit_wal(const std::string& directory, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  const Result<LiveLogs> logs = live_logs(*env, directory);
  if (!logs) return logs.error();
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
