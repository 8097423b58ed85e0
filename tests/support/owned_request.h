// A request that outlives its reader, for tests that play the daemon.
#pragma once

#include <string>

#include "client/wire/message.h"

namespace holdfast::test {

struct OwnedRequest {
  OwnedRequest() = default;
  explicit OwnedRequest(const wire::Request& request)
      : msgid(request.msgid),
        method(request.method),
        params(msgpack::clone(request.params)),
        bytes(request.bytes) {}

  wire::Request view() const { return {msgid, method, params.get(), bytes}; }

  uint32_t msgid = 0;
  std::string method;  // empty: none came
  msgpack::object_handle params;
  size_t bytes = 0;
};

}  // namespace holdfast::test
