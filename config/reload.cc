#include "config/reload.h"

#include "config/complaint.h"
#include "config/fields.h"

namespace holdfast::config {
namespace {

template <class Of>
void compare(const KeyPath& path, const Of& before, const Of& after,
             std::vector<std::string>& changed) {
  each_field<Of>([&](const auto& field) {
    if (field.applied == by_reload || before.*field.member == after.*field.member) return;
    changed.push_back(to_text(path / field.key));
  });
}

}  // namespace

std::vector<std::string> needs_restart(const Settings& before, const Settings& after) {
  // Queues and functions are applied by a reload, all of them, also new and gone ones.
  std::vector<std::string> changed;
  each_section([&](const auto& section) {
    compare({std::string{section.key}}, before.*section.member, after.*section.member, changed);
  });
  return changed;
}

}  // namespace holdfast::config
