// The log secret: a random number that belongs to a database and is part of the salt of each
// of its logs (log_salt.h).
//
// Rule    It is made with the database, before its first log, and never changes while there is
//         a log.
// Reason  An event may carry any bytes, also those of a log record, and they may still stand
//         behind the end of a log that was written over theirs. If they checked out there,
//         they would be proof of damage, and the daemon would not start. Nobody who can send
//         an event can know the salt.
//
// Two copies of it lie in `log_secret`, beside the logs, each in a sector of its own. Without
// both the logs cannot be read: they count as damaged until the file is back, or until an
// operator accepts that they are lost.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <string>

#include "storage/base/result.h"

namespace holdfast::storage {

inline constexpr const char* kLogSecretName = "log_secret";

// Error{corrupt} if it is missing or no copy checks out; the sentence says what to do.
Result<uint32_t> read_log_secret(rocksdb::Env& env, const std::string& directory);

// Durable when it returns.
Result<> make_log_secret(rocksdb::Env& env, const std::string& directory);

}  // namespace holdfast::storage
