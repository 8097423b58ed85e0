"""The history of a run: JSON lines of what was asked, answered, started, killed and found.

    history = History(path)
    history.note("submitted", n=17, function="work", key="", payload="n17/0a1b2c3d/40")

Every line has `at`, milliseconds since 1970 by the wall clock, and `what`. The words and
their fields stand in WORDS; check_history.cc reads them.
"""

import json
import time
import zlib

# submitted       n function type key payload      a client asks for an event or a call
# accepted        n id duplicate                   202
# returned        n id duplicate succeeded         200
# refused         n type                           an error: nothing was kept
# unknown         n                                no answer came, or OutcomeUnknownException
# shown           id state                         an answer told of an ending
# moved           verb id function count           redrive or discard, answered
# move_unknown    verb id function
# missing         id                               "never accepted here"
# sent            message queue body               SendMessage, answered; n as for submits
# received        message queue body count         one message of an answer
# deleting        message                          DeleteMessage, asked
# deleted         message                          answered
# handler_started id attempt payload alone         by the handlers themselves
# handler_ended   id attempt succeeded
# continued       id attempt                       by a worker, after a restart
# worker_lost     id attempt                       by a worker that closes its connection
# started         life hooks                       the daemon serves
# died            life how code                    it is gone; `stopped`: it ended its handlers
# found           (a row of ListEvents)            the rest: the end of the run
# record          route id message condition ended_at payload
# dead_letter     id
# status          (the answer of GetStatus)
# rules           functions history                what the configuration says
WORDS = """submitted accepted returned refused unknown shown moved move_unknown missing sent
received deleting deleted handler_started handler_ended started died found record dead_letter
status rules""".split()


def digest(payload):
    """name/crc/bytes of a payload: what handlers note of it, too."""
    name = payload[1 : payload.index(b" ")].decode()
    return f"{name}/{zlib.crc32(payload):08x}/{len(payload)}"


class History:
    def __init__(self, path):
        self.path = path
        self.file = open(path, "a", encoding="utf-8")

    def note(self, what, **fields):
        assert what in WORDS, what
        row = {"at": round(time.time() * 1000, 3), "what": what, **fields}
        self.file.write(json.dumps(row, separators=(",", ":")) + "\n")

    def take_in(self, path):
        """The lines that handlers wrote. A kill may cut one short: at most a few."""
        torn = 0
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip():
                    continue
                try:
                    json.loads(line)
                    self.file.write(line)
                except ValueError:
                    torn += 1
        return torn

    def rows(self):
        self.file.flush()
        with open(self.path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
