// The error types of client/PROTOCOL.md, section 5, each spelled once.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "client/wire/message.h"
#include "daemon/core/effect.h"

namespace holdfast::api {

inline constexpr std::string_view kUnknownOperation = "UnknownOperationException";
inline constexpr std::string_view kInvalidParameterValue = "InvalidParameterValueException";
inline constexpr std::string_view kAccessDenied = "AccessDeniedException";
inline constexpr std::string_view kResourceNotFound = "ResourceNotFoundException";
inline constexpr std::string_view kResourceConflict = "ResourceConflictException";
inline constexpr std::string_view kTooManyRequests = "TooManyRequestsException";
inline constexpr std::string_view kIdempotencyConflict = "IdempotencyConflictException";
inline constexpr std::string_view kInsufficientStorage = "InsufficientStorageException";
inline constexpr std::string_view kReceiptHandleIsInvalid = "ReceiptHandleIsInvalid";
inline constexpr std::string_view kServiceUnavailable = "ServiceUnavailableException";
inline constexpr std::string_view kOutcomeUnknown = "OutcomeUnknownException";

// All there are, those of the wire's readers too.
inline constexpr std::array kErrorTypes{
    wire::kInvalidRequestContent, kUnknownOperation,      kInvalidParameterValue,
    kAccessDenied,                kResourceNotFound,      kResourceConflict,
    wire::kRequestTooLarge,       kTooManyRequests,       kIdempotencyConflict,
    kInsufficientStorage,         kReceiptHandleIsInvalid, kServiceUnavailable,
    kOutcomeUnknown};

std::string_view error_type(core::Refusal refusal);

inline wire::CallError call_error(std::string_view type, std::string message) {
  return {std::string{type}, std::move(message)};
}

}  // namespace holdfast::api
