// Bytes as JSON, without losing one of them.
//
//    append_json(out, "Payload", payload);   // "Payload":{"a":1}
//                                            // "Payload":"/wA=","PayloadEncoding":"base64"
//
// Rule    JSON goes in as it is, byte for byte; everything else as a base64 string that
//         says so beside it.
// Reason  A parser between would change numbers it cannot hold.
//
// Threads  any. Failure  none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::core {

std::string base64(std::string_view bytes);
// Nothing for what is not base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

// A string with its quotes; what is not UTF-8 is replaced.
std::string quoted(std::string_view text);

// One value, with numbers of any size. It may stand in the middle of other JSON: there is
// neither a byte order mark nor a zero byte in it.
bool is_json(std::string_view bytes);
void append_json(std::string& out, std::string_view name, std::string_view bytes);

}  // namespace holdfast::core
