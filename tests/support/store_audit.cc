#include "tests/support/store_audit.h"

#include <cstdio>
#include <utility>

#include "storage/base/check.h"
#include "storage/codec.h"
#include "storage/keys.h"
#include "storage/verify.h"

namespace holdfast::test {

using namespace storage;

namespace {

template <class T>
T intact(Result<T> decoded) {
  if (!decoded) std::fprintf(stderr, "%s\n", decoded.error().what.c_str());
  CHECK(decoded);
  return std::move(*decoded);
}

template <class Visit>
void each_row(const Store& store, Family family, const Visit& visit) {
  CHECK(store.scan({family, {}, {}, false}, [&](std::string_view key, std::string_view value) {
    visit(key, value);
    return true;
  }));
}

void read_meta(const Store& store, StoreContents& all) {
  each_row(store, Family::meta, [&](std::string_view key, std::string_view value) {
    if (key == kStateKey) all.state = intact(decode_state(value));
    if (const auto id = parse_function_key(key)) {
      all.functions.emplace(*id, intact(decode_function(value)));
    }
    if (const auto id = parse_queue_key(key)) {
      all.queues.emplace(*id, intact(decode_queue(value)));
    }
  });
}

}  // namespace

StoreContents contents_of(const Store& store) {
  StoreContents all;
  read_meta(store, all);
  each_row(store, Family::events, [&](std::string_view key, std::string_view value) {
    const EventId id = parse_event_key(key).value();
    all.events.emplace(id, intact(decode_event(id, value)));
  });
  each_row(store, Family::waiting, [&](std::string_view key, std::string_view value) {
    all.waiting[parse_waiting_key(key).value().first].push_back(intact(decode_waiting(value)));
  });
  each_row(store, Family::due, [&](std::string_view, std::string_view) { ++all.due_rows; });
  each_row(store, Family::running, [&](std::string_view key, std::string_view value) {
    all.running[parse_running_key(key).value().seq].push_back(intact(decode_running(value)));
  });
  each_row(store, Family::attempts, [&](std::string_view key, std::string_view) {
    const auto [seq, attempt] = parse_attempt_key(key).value();
    all.attempts[seq].push_back(attempt);
  });
  each_row(store, Family::idempotency, [&](std::string_view key, std::string_view value) {
    all.keys.emplace(parse_idempotency_row_key(key).value(), intact(decode_idempotency(value)));
  });
  each_row(store, Family::history, [&](std::string_view key, std::string_view value) {
    all.history.emplace(parse_history_key(key).value(), intact(decode_history(value)));
  });
  each_row(store, Family::dead_letters, [&](std::string_view key, std::string_view value) {
    all.dead_letters.emplace(parse_dead_letter_key(key).value(),
                             intact(decode_dead_letter(value)));
  });
  each_row(store, Family::destinations, [&](std::string_view key, std::string_view value) {
    all.messages.emplace(parse_message_key(key).value(), intact(decode_message(value)));
  });
  return all;
}

std::vector<std::string> audit(const Store& store) {
  Result<Verification> found = verify(store);
  if (!found) return {found.error().what};
  return std::move(found->complaints);
}

}  // namespace holdfast::test
