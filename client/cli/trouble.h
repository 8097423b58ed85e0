// What is wrong with a daemon, judged from its GetStatus answer alone.
#pragma once

#include <msgpack.hpp>
#include <string>
#include <vector>

namespace holdfast::cli {

// A store counts as full from here on: a monitor should speak before the first
// refusal, and a large message is refused earlier than a small one.
inline constexpr int64_t kFullPercent = 95;

// One sentence for each trouble; empty when there is none.
std::vector<std::string> find_trouble(const msgpack::object& status);

}  // namespace holdfast::cli
