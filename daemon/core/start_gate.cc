// May an attempt begin now? Slots and memory aside, which dispatch.cc asks for.
//
// Rule    No attempt begins, and no event ends because it is old, unless the free disk
//         is above half of disk_free_min with all that the running attempts may still
//         write. They wait, and go on by themselves.
// Reason  What accepted events will write in all is not known: results and log tails
//         come with the attempts. What runs is bounded by the slots, so this holds the
//         daemon's own work back before a write finds no room.
#include "daemon/core/lifecycle.h"

namespace holdfast::core {

bool Lifecycle::has_disk() const {
  return space_.left() >= start_floor(settings_.limits) + outcome_bytes_;
}

bool Lifecycle::starts_wait_for_disk() const {
  return space_.left() < start_floor(settings_.limits);
}

// Whoever was held back is looked at again.
void Lifecycle::open_gate() {
  if (!disk_was_short_ || !has_disk()) return;
  disk_was_short_ = false;
  for (const auto& [id, function] : backlog_.functions()) touched_.insert(id);
}

}  // namespace holdfast::core
