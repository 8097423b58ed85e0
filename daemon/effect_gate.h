// EffectGate: holds every effect until the step it belongs to, and so every step
// before it, is durable. Memory may lead the disk; the outside world may not.
//
// Lists are swapped, not made: who gives one in gets the memory of an earlier one for it.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "daemon/core/effect.h"
#include "storage/base/check.h"
#include "storage/base/mutant.h"

namespace holdfast::daemon {

class EffectGate {
 public:
  // Leaves an empty list.
  void hold(core::StepSeq seq, std::vector<core::Effect>&& effects) {
    if (effects.empty()) return;
    CHECK(held_.empty() || held_.back().seq < seq);
    std::vector<core::Effect> empty;
    if (!spare_.empty()) {
      empty = std::move(spare_.back());
      spare_.pop_back();
    }
    held_.push_back({seq, std::exchange(effects, std::move(empty))});
  }

  // perform(Effect&&) for each effect of the steps up to the watermark, in their order.
  // It may make the core produce further steps, which are held in their turn.
  template <class Perform>
  void open_to(core::StepSeq watermark, Perform&& perform) {
    if (broken(Mutant::reply_before_commit)) let_slip<core::Reply>(perform);
    if (broken(Mutant::start_before_commit)) let_slip<core::StartAttempt>(perform);
    while (!held_.empty() && held_.front().seq <= watermark) {
      Held ready = std::move(held_.front());
      held_.pop_front();
      for (core::Effect& effect : ready.effects) perform(std::move(effect));
      keep(std::move(ready.effects));
    }
  }

  bool empty() const { return held_.empty(); }

 private:
  struct Held {
    core::StepSeq seq;
    std::vector<core::Effect> effects;
  };

  static constexpr size_t kListsKept = 256;
  static constexpr size_t kEffectsKept = 8;  // room in each of them

  void keep(std::vector<core::Effect> list) {
    if (spare_.size() >= kListsKept || list.capacity() > kEffectsKept) return;
    list.clear();
    spare_.push_back(std::move(list));
  }

  // What a gate must never do.
  template <class Kind, class Perform>
  void let_slip(Perform&& perform) {
    std::vector<core::Effect> slipped;
    for (Held& held : held_) {
      std::vector<core::Effect> kept;
      for (core::Effect& effect : held.effects) {
        (std::holds_alternative<Kind>(effect) ? slipped : kept).push_back(std::move(effect));
      }
      held.effects = std::move(kept);
    }
    for (core::Effect& effect : slipped) perform(std::move(effect));
  }

  std::deque<Held> held_;
  std::vector<std::vector<core::Effect>> spare_;
};

}  // namespace holdfast::daemon
