#include "daemon/api/errors.h"

#include "storage/base/check.h"

namespace holdfast::api {

std::string_view error_type(core::Refusal refusal) {
  switch (refusal) {
    case core::Refusal::not_found: return kResourceNotFound;
    case core::Refusal::invalid: return kInvalidParameterValue;
    case core::Refusal::conflict: return kResourceConflict;
    case core::Refusal::too_large: return wire::kRequestTooLarge;
    case core::Refusal::busy: return kTooManyRequests;
    case core::Refusal::key_conflict: return kIdempotencyConflict;
    case core::Refusal::no_space: return kInsufficientStorage;
    case core::Refusal::receipt_invalid: return kReceiptHandleIsInvalid;
    case core::Refusal::unavailable: return kServiceUnavailable;
  }
  CHECK(!"a refusal without an error type");
  return {};
}

}  // namespace holdfast::api
