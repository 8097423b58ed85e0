// Clock: makes the core's time out of the kernel's clocks.
//
// Rule    Core time never goes back, across restarts too: it is saved with each commit
//         and goes on from there.
// Rule    It advances by CLOCK_BOOTTIME, and moves forward to the wall clock only when
//         the kernel calls that synchronised.
// Reason  An edge box has no clock battery. It boots in 1970, or in last week, and
//         learns the date minutes later or never.
//
// Rule    Time that was not lived through (the box was off, or learned the date) is in
//         `now`, but not in `lit`, unless dark_time_ages says otherwise.
// Reason  See storage/base/time.h: ages and retentions must not jump.
//
// advance() is pure; read_kernel_clocks() asks the kernel.
#pragma once

#include <string_view>

#include "storage/base/time.h"
#include "storage/records.h"

namespace holdfast::daemon {

struct ClockReading {
  std::string_view boot_id;  // changes with each boot; must outlive the Clock it is given to
  int64_t boottime_ms = 0;   // since that boot, suspend included
  int64_t wall_ms = 0;
  bool wall_synchronised = false;
};
ClockReading read_kernel_clocks();

class Clock {
 public:
  // `saved`: what the last commit of the last life stamped; all zero the first time.
  Clock(const storage::ClockStamp& saved, const ClockReading& first, bool dark_time_ages);

  Moment advance(const ClockReading& reading);

  // For the next commit.
  storage::ClockStamp stamp() const { return stamp_; }

 private:
  bool dark_time_ages_;
  storage::ClockStamp stamp_;
};

}  // namespace holdfast::daemon
