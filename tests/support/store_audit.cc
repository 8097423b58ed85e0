#include "tests/support/store_audit.h"

#include <algorithm>
#include <set>
#include <utility>

#include "storage/base/check.h"
#include "storage/codec.h"
#include "storage/keys.h"

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

class Audit {
 public:
  explicit Audit(const Store& store) : all_(contents_of(store)) {}

  std::vector<std::string> run() {
    count_events();
    check_neighbours();
    count_dead_letters_and_messages();
    check_keys();
    return std::move(complaints_);
  }

 private:
  void expect(bool holds, const std::string& what) {
    if (!holds) complaints_.push_back(what);
  }
  void equal(uint64_t counted, uint64_t scanned, const std::string& what) {
    expect(counted == scanned, what + ": the meta row says " + std::to_string(counted) +
                                   ", the rows " + std::to_string(scanned));
  }
  static std::string named(const EventId& id) {
    return "event " + std::to_string(id.function.value) + "/" + std::to_string(id.seq.value);
  }

  void count_events() {
    std::map<FunctionId, std::pair<uint64_t, uint64_t>> counts;  // fresh, waiting
    for (const auto& [key, dead] : all_.dead_letters) dead_.insert(key.seq);
    uint64_t reserved = 0;
    for (const auto& [id, event] : all_.events) {
      const size_t waiting = all_.waiting.contains(id) ? all_.waiting.at(id).size() : 0;
      const size_t running = all_.running.contains(id.seq) ? all_.running.at(id.seq).size() : 0;
      const bool dead = dead_.contains(id.seq);
      const size_t places = waiting + running + (dead ? 1 : 0);
      expect(places <= 1, named(id) + " stands in " + std::to_string(places) + " places");
      if (!dead) reserved += event.reserved_bytes;
      const FunctionRecord& function = all_.functions.at(id.function);
      const bool fresh = places == 0;
      if (fresh) counts[id.function].first += 1;
      if (event.delayed) {
        expect(!fresh, named(id) + " was put delayed and waits for nothing");
      } else {
        expect(fresh == (id.seq >= function.head),
               named(id) + (fresh ? " is fresh below" : " has left the backlog above") +
                   " the head " + std::to_string(function.head.value));
      }
    }
    for (const auto& [id, rows] : all_.waiting) counts[id.function].second += rows.size();
    size_t waiting_rows = 0;
    for (const auto& [id, function] : all_.functions) {
      equal(function.fresh, counts[id].first, "fresh events of " + function.name);
      equal(function.waiting, counts[id].second, "waiting events of " + function.name);
      waiting_rows += counts[id].second;
    }
    equal(waiting_rows, all_.due_rows, "rows of waiting, and their twins in due");
    equal(all_.state.reserved_bytes, reserved, "disk set aside");
  }

  void check_neighbours() {
    for (const auto& [id, rows] : all_.waiting) {
      expect(all_.events.contains(id), named(id) + " waits without its event");
    }
    std::set<Seq> alive;
    for (const auto& [id, event] : all_.events) {
      if (!dead_.contains(id.seq)) alive.insert(id.seq);
    }
    for (const auto& [seq, rows] : all_.running) {
      expect(rows.size() == 1, "two running rows of " + std::to_string(seq.value));
      const bool is_event = rows.front().type == InvocationType::event;
      expect(all_.events.contains(rows.front().event) == is_event,
             named(rows.front().event) + " runs, and its event is not as it should be");
    }
    for (const auto& [seq, attempts] : all_.attempts) {
      expect(alive.contains(seq), "attempts of " + std::to_string(seq.value) + " outlived it");
    }
    std::set<Seq> endings;
    for (const auto& [ending, record] : all_.history) endings.insert(ending);
    for (const auto& [key, record] : all_.dead_letters) {
      const EventId id{key.function, record.lane, key.seq};
      expect(all_.events.contains(id), named(id) + " is dead and its payload gone");
      expect(record.ending < all_.state.history_cutoff || endings.contains(record.ending),
             named(id) + " is dead without an ending");
    }
  }

  void count_dead_letters_and_messages() {
    std::map<FunctionId, std::pair<uint64_t, uint64_t>> dead;
    for (const auto& [key, record] : all_.dead_letters) {
      dead[key.function].first += 1;
      dead[key.function].second += record.charged_bytes;
    }
    for (const auto& [id, function] : all_.functions) {
      equal(function.dead_letters, dead[id].first, "dead letters of " + function.name);
      equal(function.dead_letters_bytes, dead[id].second,
            "bytes of the dead letters of " + function.name);
    }
    std::map<QueueId, std::pair<uint64_t, uint64_t>> messages;
    std::set<Seq> seqs;
    for (const auto& [key, record] : all_.messages) {
      messages[key.queue].first += 1;
      messages[key.queue].second += charged_bytes_of_message(record);
      expect(seqs.insert(key.seq).second,
             "message " + std::to_string(key.seq.value) + " is there twice");
    }
    for (const auto& [id, queue] : all_.queues) {
      equal(queue.messages, messages[id].first, "messages of " + queue.name);
      equal(queue.bytes, messages[id].second, "bytes of " + queue.name);
    }
  }

  void check_keys() {
    uint64_t bytes = 0;
    for (const auto& [hash, record] : all_.keys) {
      bytes += charged_bytes(record);
      if (record.answer) continue;
      const bool lives = all_.events.contains(record.event) && !dead_.contains(record.event.seq);
      expect(lives || all_.running.contains(record.event.seq),
             "the key of " + named(record.event) + " has no answer, and its event does not live");
    }
    equal(all_.state.idempotency_bytes, bytes, "bytes of idempotency keys");
  }

  StoreContents all_;
  std::set<Seq> dead_;
  std::vector<std::string> complaints_;
};

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

std::vector<std::string> audit(const Store& store) { return Audit{store}.run(); }

}  // namespace holdfast::test
