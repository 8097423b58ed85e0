#include "daemon/spawner/protocol.h"

#include "storage/base/bytes.h"
#include "storage/base/match.h"

// message     := tag:be8 fields
// start       := handle:be64 directory:text argv:list environment:list
// kill        := handle:be64 signal:be32
// locked      := holder:be32
// not ready   := reason:text
// started     := handle:be64 pid:be32
// cannot start := handle:be64 reason:text
// ended       := handle:be64 by_signal:be8 code:be32 kill_reached:be8
// text        := bytes:be32 that many bytes
// list        := count:be32 that many texts

namespace holdfast::spawner {
namespace {

enum class Tag : uint8_t {
  start = 1,
  kill = 2,
  ready = 3,
  locked = 4,
  not_ready = 5,
  started = 6,
  cannot_start = 7,
  ended = 8,
};

std::string open_message(Tag tag) { return std::string(1, static_cast<char>(tag)); }

void append_number(std::string& out, int number) {
  append_be32(out, static_cast<uint32_t>(number));
}

void append_text(std::string& out, const std::string& text) {
  append_be32(out, static_cast<uint32_t>(text.size()));
  out += text;
}

void append_list(std::string& out, const std::vector<std::string>& list) {
  append_be32(out, static_cast<uint32_t>(list.size()));
  for (const std::string& text : list) append_text(out, text);
}

// BytesReader with the two compound fields of the grammar above.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : bytes_(bytes) {}

  Tag tag() { return static_cast<Tag>(bytes_.be8()); }
  uint64_t handle() { return bytes_.be64(); }
  int number() { return static_cast<int>(bytes_.be32()); }
  bool flag() { return bytes_.be8() != 0; }

  std::string text() {
    const size_t length = bytes_.be32();
    if (!bytes_.intact() || length > bytes_.rest().size()) {
      broken_ = true;
      return {};
    }
    std::string text{bytes_.rest().substr(0, length)};
    bytes_ = BytesReader{bytes_.rest().substr(length)};
    return text;
  }

  std::vector<std::string> list() {
    const size_t count = bytes_.be32();
    std::vector<std::string> list;
    while (list.size() < count && !broken_) list.push_back(text());
    return list;
  }

  bool finished() const { return !broken_ && bytes_.finished(); }

 private:
  BytesReader bytes_;
  bool broken_ = false;
};

template <class Variant, class Message>
std::optional<Variant> if_finished(const MessageReader& reader, Message message) {
  if (!reader.finished()) return std::nullopt;
  return Variant{std::move(message)};
}

}  // namespace

std::string encode(const ToSpawner& message) {
  return std::visit(match{
                        [](const Start& start) {
                          std::string out = open_message(Tag::start);
                          append_be64(out, start.handle);
                          append_text(out, start.working_directory);
                          append_list(out, start.argv);
                          append_list(out, start.environment);
                          return out;
                        },
                        [](const Kill& kill) {
                          std::string out = open_message(Tag::kill);
                          append_be64(out, kill.handle);
                          append_number(out, kill.signal);
                          return out;
                        },
                    },
                    message);
}

std::string encode(const ToDaemon& message) {
  return std::visit(match{
                        [](const Ready&) { return open_message(Tag::ready); },
                        [](const Locked& locked) {
                          std::string out = open_message(Tag::locked);
                          append_number(out, locked.holder);
                          return out;
                        },
                        [](const NotReady& not_ready) {
                          std::string out = open_message(Tag::not_ready);
                          append_text(out, not_ready.reason);
                          return out;
                        },
                        [](const Started& started) {
                          std::string out = open_message(Tag::started);
                          append_be64(out, started.handle);
                          append_number(out, started.pid);
                          return out;
                        },
                        [](const CannotStart& cannot_start) {
                          std::string out = open_message(Tag::cannot_start);
                          append_be64(out, cannot_start.handle);
                          append_text(out, cannot_start.reason);
                          return out;
                        },
                        [](const Ended& ended) {
                          std::string out = open_message(Tag::ended);
                          append_be64(out, ended.handle);
                          append_be8(out, ended.by_signal ? 1 : 0);
                          append_number(out, ended.code);
                          append_be8(out, ended.kill_reached ? 1 : 0);
                          return out;
                        },
                    },
                    message);
}

std::optional<ToSpawner> decode_to_spawner(std::string_view bytes) {
  MessageReader reader{bytes};
  switch (reader.tag()) {
    case Tag::start: {
      Start start;
      start.handle = reader.handle();
      start.working_directory = reader.text();
      start.argv = reader.list();
      start.environment = reader.list();
      if (start.argv.empty()) return std::nullopt;
      return if_finished<ToSpawner>(reader, std::move(start));
    }
    case Tag::kill: {
      Kill kill;
      kill.handle = reader.handle();
      kill.signal = reader.number();
      return if_finished<ToSpawner>(reader, kill);
    }
    default:
      return std::nullopt;
  }
}

std::optional<ToDaemon> decode_to_daemon(std::string_view bytes) {
  MessageReader reader{bytes};
  switch (reader.tag()) {
    case Tag::ready:
      return if_finished<ToDaemon>(reader, Ready{});
    case Tag::locked: {
      const Locked locked{reader.number()};
      return if_finished<ToDaemon>(reader, locked);
    }
    case Tag::not_ready: {
      NotReady not_ready{reader.text()};
      return if_finished<ToDaemon>(reader, std::move(not_ready));
    }
    case Tag::started: {
      Started started;
      started.handle = reader.handle();
      started.pid = reader.number();
      return if_finished<ToDaemon>(reader, started);
    }
    case Tag::cannot_start: {
      CannotStart cannot_start;
      cannot_start.handle = reader.handle();
      cannot_start.reason = reader.text();
      return if_finished<ToDaemon>(reader, std::move(cannot_start));
    }
    case Tag::ended: {
      Ended ended;
      ended.handle = reader.handle();
      ended.by_signal = reader.flag();
      ended.code = reader.number();
      ended.kill_reached = reader.flag();
      return if_finished<ToDaemon>(reader, ended);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace holdfast::spawner
