"""The named points at which HOLDFAST_CRASH_AT kills the daemon or its spawner.

The kill test aims at each and must reach each; that this list and the source name the
same ones is a test, too.
"""

import collections
import os
import re

# passes_max  the crash comes at one of the first so many passes
# needs       what the driver does to get there: "signal" is sent to the daemon, and
#             "history" is a box whose history is cut off all the time
# code        how the daemon ends: killed, or told of the death of its spawner
Point = collections.namedtuple("Point", "passes_max needs code", defaults=(None, -9))

POINTS = {
    # The start: what is half recovered must be recoverable again.
    "before_spawner": Point(1),          # has the state directory's lock, nothing else
    "before_open": Point(1),             # handlers of the earlier daemon are gone
    "after_audit": Point(1),             # the log was judged, RocksDB has not seen it
    "before_first_side_file": Point(1),  # RocksDB replayed the log, the side file is old
    "after_open": Point(1),
    "after_recovery_step": Point(1),     # the interrupted are settled, in memory only
    "before_serving": Point(1),          # clients can connect and are not answered yet
    # A commit, on its way from the loop to the disk and back.
    "after_seal": Point(60),             # decided and counted, not handed over
    "before_wal_sync": Point(60),
    "before_side_file": Point(60),       # durable, and nobody has been told
    "after_wal_sync": Point(60),
    "after_history_drop": Point(4, "history"),
    "before_effects": Point(60),         # the loop knows that it is durable
    "after_effects": Point(60),
    "before_replies": Point(120),
    "after_replies": Point(120),
    # An attempt.
    "before_start_sent": Point(25),      # its number is durable, nothing runs
    "after_start_sent": Point(25),
    "before_outcome": Point(20),         # it has ended, and only memory knows
    "spawner_before_ready": Point(1, None, 5),
    "spawner_before_fork": Point(25, None, 8),
    "spawner_after_fork": Point(25, None, 8),  # it runs, and nobody owns it yet
    "spawner_before_ended": Point(20, None, 8),
    # Changes of the daemon's own state.
    "in_reload": Point(1, "reload"),
    "in_drain": Point(1, "drain"),
    "drain_expired": Point(1, "drain"),
    "drained": Point(1, "drain"),        # all is settled and durable
    "after_serving": Point(1, "drain"),  # the loop is over, the database is open
    "after_close": Point(1, "drain"),    # only the spawner is left
}


def named_in_source(root):
    """The points that the daemon's and the storage's sources name."""
    found = collections.Counter()
    for folder in ("daemon", "storage"):
        for parent, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith(".cc"):
                    with open(os.path.join(parent, name), encoding="utf-8") as file:
                        found.update(re.findall(r'\bcrash_point\("(\w+)"\)', file.read()))
    return found
