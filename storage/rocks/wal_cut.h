// Cuts the logs off at the damage, when the loss has been accepted.
//
// Rule    The log ends at the bad spot, and later logs go.
// Reason  What is opened then is what some commit left behind, whole: RocksDB itself
//         would go on with a log that begins behind a gap, and half of what belongs
//         together would be there.
//
// Run it on a database that is not open, when the evidence has been copied. It may be
// cut short and repeated: the side file goes on telling that something is missing.
//
// Failure  Error{io}; the logs behind the damage may then be gone already.
#pragma once

#include <string>

#include "storage/base/result.h"
#include "storage/rocks/wal_audit.h"

namespace rocksdb {
class Env;
}

namespace holdfast::storage {

// `damage` names the bad spot; without one there is nothing to cut.
Result<> cut_logs(rocksdb::Env& env, const std::string& directory, const AuditReport& damage);

}  // namespace holdfast::storage
