#include "daemon/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cstdlib>
#include <memory>

namespace holdfast::daemon {
namespace {

// "<3>": syslog's number of a level.
class Priority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const char priority = [&] {
      switch (message.level) {
        case spdlog::level::critical: return '2';
        case spdlog::level::err: return '3';
        case spdlog::level::warn: return '4';
        case spdlog::level::info: return '6';
        default: return '7';
      }
    }();
    out.push_back('<');
    out.push_back(priority);
    out.push_back('>');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<Priority>();
  }
};

}  // namespace

void start_log(config::LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>(
      "holdfastd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  if (journal) {
    formatter->add_flag<Priority>('Q').set_pattern("%Q%v");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  }
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  set_log_level(level);
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
