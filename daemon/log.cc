#include "daemon/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace holdfast::daemon {
namespace {

// "<3>", syslog's number of a level, before each line: the journal takes every line for
// a record of its own.
class JournalFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const char priority[] = {'<', digit_of(message.level), '>'};
    std::string_view text{message.payload.data(), message.payload.size()};
    while (true) {
      const size_t line_bytes = std::min(text.find('\n'), text.size());
      out.append(priority, priority + sizeof priority);
      out.append(text.data(), text.data() + line_bytes);
      out.push_back('\n');
      if (line_bytes == text.size()) return;
      text.remove_prefix(line_bytes + 1);
    }
  }
  std::unique_ptr<formatter> clone() const override { return std::make_unique<JournalFormatter>(); }

 private:
  static char digit_of(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::critical: return '2';
      case spdlog::level::err: return '3';
      case spdlog::level::warn: return '4';
      case spdlog::level::info: return '6';
      default: return '7';
    }
  }
};

bool journal_reads_along() { return std::getenv("JOURNAL_STREAM") != nullptr; }

}  // namespace

void start_log(config::LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>(
      "holdfastd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (journal_reads_along()) {
    logger->set_formatter(std::make_unique<JournalFormatter>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  }
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  set_log_level(level);
}

void refuse_start(const std::string& reason) {
  if (journal_reads_along()) {
    start_log(config::LogLevel::info);
    spdlog::critical("{}", reason);
  } else {
    std::fprintf(stderr, "%s\n", reason.c_str());
  }
}

void set_log_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug: spdlog::set_level(spdlog::level::debug); return;
    case config::LogLevel::info: spdlog::set_level(spdlog::level::info); return;
    case config::LogLevel::warning: spdlog::set_level(spdlog::level::warn); return;
    case config::LogLevel::error: spdlog::set_level(spdlog::level::err); return;
  }
}

}  // namespace holdfast::daemon
