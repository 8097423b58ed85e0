// Settings as a TOML file, every setting written out.
//
//    std::cout << config::to_toml(settings);  // holdfastd --check-config
//
// What load() gave, parses back to the same Settings. (Strings must be UTF-8 for that;
// all that come from a TOML file are.) Any thread; cannot fail.
#pragma once

#include <string>

#include "config/settings.h"

namespace holdfast::config {

std::string to_toml(const Settings& settings);

}  // namespace holdfast::config
