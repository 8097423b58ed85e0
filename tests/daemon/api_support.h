// Requests as a client packs them, and replies as a client reads them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>

#include "client/wire/message.h"
#include "daemon/core/ledger.h"
#include "daemon/core/lifecycle.h"
#include "tests/support/owned_request.h"

namespace holdfast::api {

inline constexpr storage::BoxTag kBox{0x2ABCD};
inline constexpr uint32_t kMsgid = 77;

using PackParams = std::function<void(wire::MapWriter&)>;

inline test::OwnedRequest request(std::string_view method, const PackParams& pack) {
  wire::RequestReader reader;
  reader.feed(wire::encode_request(kMsgid, method, [&](wire::MapWriter& map) { pack(map); }));
  auto next = reader.next();
  if (auto* found = std::get_if<wire::Request>(&next)) return test::OwnedRequest{*found};
  ADD_FAILURE() << "the wire refuses the request of the test";
  return {};
}

// As JSON, with b"..." for a bin, so that a text is told from bytes.
inline std::string text_of(const msgpack::object& value) {
  std::string text;
  if (value.type == msgpack::type::MAP) {
    for (const auto& entry : std::span{value.via.map.ptr, value.via.map.size}) {
      text += (text.empty() ? "" : ",") + text_of(entry.key) + ":" + text_of(entry.val);
    }
    return "{" + text + "}";
  }
  if (value.type == msgpack::type::ARRAY) {
    for (const auto& element : std::span{value.via.array.ptr, value.via.array.size}) {
      text += (text.empty() ? "" : ",") + text_of(element);
    }
    return "[" + text + "]";
  }
  if (const auto bytes = wire::as_bytes(value)) {
    text = value.type == msgpack::type::BIN ? "b\"" : "\"";
    for (const char byte : *bytes) text += byte == '"' ? "\\\"" : std::string{byte};
    return text + "\"";
  }
  std::ostringstream number;
  number << value;
  return number.str();
}

// An error as "Type: Message".
inline std::string text_of(std::string_view reply_bytes) {
  wire::ReplyReader reader;
  reader.feed(reply_bytes);
  auto next = reader.next();
  const auto* reply = std::get_if<wire::Reply>(&next);
  if (reply == nullptr) return "no reply";
  EXPECT_EQ(reply->msgid, kMsgid);
  EXPECT_EQ(reader.next().index(), 0u) << "more than one reply";
  if (const auto* error = std::get_if<wire::CallError>(&reply->answer)) {
    return error->type + ": " + error->message;
  }
  return text_of(std::get<msgpack::object_handle>(reply->answer).get());
}

// A box with two functions (ids 1 and 2) and a queue (id 1).
inline core::Ledger ledger_of_tests() {
  storage::Recovered recovered;
  recovered.fresh_directory = true;
  core::Ledger ledger{recovered, kBox};
  ledger.function_named("resize");
  ledger.function_named("mail");
  ledger.queue_named("done");
  ledger.queue_named("lost");
  ledger.change().next_seq = storage::Seq{5000};
  return ledger;
}

inline std::string request_id(uint64_t seq, uint32_t function = 1, storage::BoxTag box = kBox) {
  return storage::to_request_id(
      {storage::FunctionId{function}, storage::Lane{}, storage::Seq{seq}}, box);
}

}  // namespace holdfast::api
