#!/usr/bin/python3
"""Writes the seeds of the fuzz targets: good inputs of every kind, and telling bad ones.

usage: seeds.py [FOLDER]        tests/fuzz/corpus when absent

Written by hand from the documents (client/PROTOCOL.md, storage/FORMAT.md), not by the
encoders of the project: what the two tell apart would be seen here. A file that is there
already is replaced; files of other names, above all inputs that once crashed a target,
are left alone.
"""

import os
import struct
import sys

import frame_seeds
import msgpack
import worker_seeds

BOX_REQUEST_ID = "00000000-0000-8001-8400-00000006abcd"  # seq 17, function 1
# Queue 1, visible at 1700000000123, seq 99, generation 3, then the check of that box.
RECEIPT = "000000010000018bcfe5687b000000000000006300000003" + "0eaedc368686e9cd"
# The same, visible before 1970: its check is right, but no row can lie there.
FORGED_RECEIPT = "00000001fffffffffffffffb000000000000006300000003" + "cb1f89a945988caa"


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


# --- wire and operations -----------------------------------------------------

REQUESTS = {
    "invoke": ("Invoke", {"FunctionName": "resize"}),
    "invoke_event": (
        "Invoke",
        {
            "FunctionName": "resize",
            "InvocationType": "Event",
            "Payload": b"\x00\xff{}",
            "IdempotencyKey": "order-1",
            "DelaySeconds": 90,
        },
    ),
    "invoke_dry_run": ("Invoke", {"FunctionName": "mail", "InvocationType": "DryRun"}),
    "get_event": ("GetEvent", {"RequestId": BOX_REQUEST_ID, "WaitSeconds": 20}),
    "list_events": (
        "ListEvents",
        {"FunctionName": "mail", "State": "dead", "MaxItems": 10, "Marker": "d00000000000004d2"},
    ),
    "bad_marker_of_another_state": (
        "ListEvents",
        {"State": "pending", "Marker": "d00000000000004d2"},
    ),
    "list_events_all": ("ListEvents", {"Marker": "hffffffffffffffff"}),
    "cancel_event": ("CancelEvent", {"RequestId": BOX_REQUEST_ID}),
    "list_functions": ("ListFunctions", {}),
    "get_status": ("GetStatus", {}),
    "list_dead_letters": (
        "ListDeadLetters",
        {"FunctionName": "mail", "MaxItems": 1000, "Marker": "l000000000000000c"},
    ),
    "get_dead_letter": ("GetDeadLetter", {"RequestId": BOX_REQUEST_ID.upper()}),
    "redrive_one": ("RedriveDeadLetters", {"RequestId": BOX_REQUEST_ID}),
    "redrive_all": ("RedriveDeadLetters", {"FunctionName": "mail"}),
    "discard_page": (
        "DiscardDeadLetters",
        {"FunctionName": "mail", "Marker": "0000000000000005" + "f" * 16},
    ),
    "send_message": (
        "SendMessage",
        {
            "QueueName": "lost",
            "MessageBody": b"body",
            "MessageAttributes": {"ErrorCode": "200", "RequestID": "x"},
            "DelaySeconds": 900,
        },
    ),
    "receive_message": (
        "ReceiveMessage",
        {"QueueName": "done", "MaxNumberOfMessages": 10, "VisibilityTimeout": 43200},
    ),
    "delete_message": ("DeleteMessage", {"QueueName": "done", "ReceiptHandle": RECEIPT}),
    "delete_message_before_1970": (
        "DeleteMessage",
        {"QueueName": "done", "ReceiptHandle": FORGED_RECEIPT},
    ),
    "list_queues": ("ListQueues", {}),
    "bad_unknown_operation": ("Nonsense", {"x": 1}),
    "bad_unknown_field": ("GetStatus", {"Functon": "resize"}),
    "bad_missing_field": ("Invoke", {}),
    "bad_type": ("Invoke", {"FunctionName": 7, "Payload": [1, 2.5, None]}),
    "bad_text": ("Invoke", {"FunctionName": "resize", "IdempotencyKey": "a\0b"}),
    "bad_attributes": (
        "SendMessage",
        {"QueueName": "done", "MessageBody": b"b", "MessageAttributes": {"": "x", "y": 1}},
    ),
    "bad_key_too_long": ("Invoke", {"FunctionName": "n" * 64, "IdempotencyKey": "k" * 257}),
    "bad_attributes_too_large": (
        "SendMessage",
        {"QueueName": "done", "MessageBody": b"b", "MessageAttributes": {"a": "v" * 8192}},
    ),
    "bad_two_subjects": (
        "DiscardDeadLetters",
        {"FunctionName": "mail", "RequestId": BOX_REQUEST_ID},
    ),
    "attach_worker": ("AttachWorker", {"FunctionName": "resize", "Concurrency": 1}),
    "attach_worker_that_holds": (
        "AttachWorker",
        {"FunctionName": "resize", "Concurrency": 1024, "Held": {BOX_REQUEST_ID: 3}},
    ),
    "send_attempt_success": (
        "SendAttemptSuccess",
        {"RequestId": BOX_REQUEST_ID, "Attempt": 2**32 - 1, "Result": b"\x00\xff{}"},
    ),
    "send_attempt_failure": (
        "SendAttemptFailure",
        {
            "RequestId": BOX_REQUEST_ID,
            "Attempt": 1,
            "ErrorType": "ValueError",
            "ErrorMessage": "no such order",
            "LogTail": b"last\0words\xff",
        },
    ),
    "send_attempt_heartbeat": (
        "SendAttemptHeartbeat",
        {"RequestId": BOX_REQUEST_ID, "Attempt": 2},
    ),
    "detach_worker": ("DetachWorker", {}),
    "bad_held_attempt": (
        "AttachWorker",
        {"FunctionName": "resize", "Concurrency": 1, "Held": {BOX_REQUEST_ID: 0}},
    ),
    "bad_held_of_no_event": (
        "AttachWorker",
        {"FunctionName": "resize", "Concurrency": 1, "Held": {"nobody": 1}},
    ),
    "bad_error_type_too_long": (
        "SendAttemptFailure",
        {"RequestId": BOX_REQUEST_ID, "Attempt": 1, "ErrorType": "t" * 129},
    ),
}


def requests():
    for msgid, (name, (method, params)) in enumerate(REQUESTS.items(), 1):
        yield name, pack([0, msgid * 1000003 % 2**32, method, [params]])


REPLIES = {
    "reply_accepted": [1, 7, None, {"StatusCode": 202, "RequestId": BOX_REQUEST_ID}],
    "reply_result": [1, 300, None, [1, -1, 2**63, -(2**63), 1.5, True, b"\x00", "x" * 40]],
    "reply_error": [1, 2**32 - 1, {"Type": "TooManyRequestsException", "Message": "wait"}, None],
}

STREAMS = {
    "no_params": pack([0, 1, "GetStatus", []]),
    "pipelined": b"".join(pack([0, n, "GetStatus", [{}]]) for n in range(5)),
    "then_garbage": pack([0, 1, "GetStatus", []]) + b"GET / HTTP/1.1\r\n\r\n",
    "cut_off": pack([0, 1, "Invoke", [{"FunctionName": "resize"}]])[:-3],
    "notification": pack([2, "GetStatus", []]),
    "no_array": pack({"method": "GetStatus"}),
    "three_elements": pack([0, 1, "GetStatus"]),
    "msgid_too_large": pack([0, 2**32, "GetStatus", []]),
    "msgid_long_form": b"\xdd\0\0\0\x04\0\xce\0\0\0\x05\xa1x\x90",
    "method_too_long": pack([0, 1, "m" * 65, []]),
    "reserved_byte": b"\x94\x00\x01\xa1x\x91\x81\xa1a\xc1",
    "extension": b"\x94\x00\x01\xa1x\x91\x81\xa1a\xd4\x01\x02",
    "too_deep": b"\x94\x00\x01\xa1x" + b"\x91" * 9,
    "claims_too_many_bytes": b"\x94\x00\x01\xa1x\x91\x81\xa1a\xc6\xff\xff\xff\xff",
    "claims_too_many_values": b"\x94\x00\x01\xa1x\x91\xdf\x00\x01\x00\x00",
    "all_forms": pack([0, 1, "x", [{"a": [None, True, 200, 70000, 2**40, -100, -70000, -(2**40)]}]])
    + pack([0, 2, "x", [{"b": [1.5, "s" * 40, "s" * 300, b"b" * 300, [0] * 20]}]])
    + b"\x94\x00\x03\xa1x\x91\x81\xa1c\xca\x3f\x80\x00\x00",
}


# An operation by its place in the table, a msgid, then fields: their place in the
# operation's row, a kind, and what the kind takes. See operations_fuzz.cc.
RECIPES = {
    "recipe_get_event": bytes([1, 5, 0, 8, 0, 1, 0, 0, 17, 1, 4, 20]),
    "recipe_receipt": bytes([13, 5, 0, 6, 2, 1, 9, 1])
    + struct.pack(">qHB", 1_700_000_000_123, 99, 3)
    + b"\0",
    "recipe_limits": bytes([0, 5, 0, 6, 0, 1, 5, 1, 3, 5, 1, 4, 5, 1, 2, 5, 0]),
    "recipe_texts": bytes([11, 5, 0, 6, 3, 1, 0, 0, 2, 98, 99, 2, 7, 2, 1, 97, 1, 98, 1, 99, 0]),
    "recipe_texts_twice_a_name": bytes([11, 5, 0, 6, 3, 1, 0, 0, 2, 98, 99, 2, 7, 2])
    + bytes([1, 97, 1, 98, 1, 97, 1, 99]),
    "recipe_markers": bytes([7, 5, 0, 6, 1, 2, 10, 4]) + bytes(8),
    "recipe_page": bytes([9, 5, 1, 6, 1, 2, 11]) + bytes(16),
    "recipe_unknown_field": bytes([5, 5, 0, 3, 120, 121, 122, 2]) + bytes(8),
    "recipe_held": bytes([15, 5, 0, 6, 0, 1, 4, 8, 2, 14, 2])
    + bytes([0, 1, 0, 0, 17, 3, 0, 2, 0, 0, 18, 1]),
    "recipe_held_at_the_limit": bytes([15, 5, 0, 6, 0, 1, 5, 1, 2, 5, 1]),
    "recipe_held_over_the_limit": bytes([15, 5, 0, 6, 0, 1, 5, 1, 2, 5, 3]),
    "recipe_attempt_success": bytes([16, 5, 0, 8, 0, 1, 0, 0, 17, 1, 5, 1, 2, 1, 3, 97, 98, 99]),
    "recipe_attempt_failure": bytes([17, 5, 0, 8, 0, 1, 0, 0, 17, 1, 5, 0])
    + bytes([2, 5, 1, 3, 5, 1, 4, 5, 1]),
}


# --- records: kind, then the row ---------------------------------------------

EVENT = [7, 3, 0x123456789ABC]
SPENT = [5, 4, 2, 1_700_000_000_001, False]
ATTEMPT = [6, 1, "Runtime.ExitError", "signal: killed", 1006, 2006, -1, 9, b"last\0words\xff"]
ANSWER = [1, 2, 31, b"result", 32, "Sandbox.Timedout", "Task timed out after 3.00 seconds"]

RECORDS = {
    "event": (0, [11, -12, 13, True, 1 << 40, "order-4711", b"pay\0load"]),
    "waiting": (1, [1_800_000_000_000, SPENT]),
    "running": (2, [EVENT, 1, SPENT, 21, 22, "key", b"0123456789abcdef", 23, 24, True]),
    "attempt": (3, ATTEMPT),
    "idempotency": (4, [7, "order-4711", EVENT, 1, b"fedcba9876543210", ANSWER, 33]),
    "idempotency_unended": (4, [0, "k", [0, 0, 0], 0, bytes(16), None, 0]),
    "history": (
        5,
        [EVENT, 1, 2, 5, 41, 42, SPENT, 43, b"", 44, "Interrupted", "the daemon stopped"]
        + [[ATTEMPT, ATTEMPT]],
    ),
    "dead_letter": (
        6,
        [3, 3, 51, 52, 53, SPENT, 54, 55, 56, "order-4712", b"0f1e2d3c4b5a6978"]
        + ["Runtime.ExitError", "exit status 1", [ATTEMPT]],
    ),
    "message": (7, [{"ErrorCode": "200", "RequestID": "x"}, 61, 62, b"bo\0dy"]),
    "function": (8, ["resize", 71, 72, 73, 74, 75, 76, 77, 78, 79, 80]),
    "queue": (9, ["failures", 81, 82]),
    "state": (
        10,
        [2**18 - 1, 91, 92, 93, 94, [95, 96, "b0071d", -97], 98, 99, 100, 101]
        + [[[102, 103, 104], [105, 106, 107]], 108, 2**64 - 1],
    ),
}


def at_limits(over):
    """Records that are as long as one may be, or too long by `over`."""
    attempt = ATTEMPT[:2] + ["t" * 128, "m" * 1024] + ATTEMPT[4:8] + [b"l" * (4096 + over)]
    error = ["t" * 128, "m" * (1024 + over)]
    marks = [[2**64 - 1] * 2 + [2**60]] * (256 + over)
    yield "event", 0, [2**60, -(2**60), 0, False, 2**64 - 1, "k" * (256 + over), b""]
    yield "waiting", 1, [2**60 + over, SPENT]
    yield "running", 2, [[2**32 - 1, 255 + over, 0], 0, SPENT, 0, 0, "", b"", 0, 0, False]
    yield "attempt", 3, attempt
    yield "idempotency", 4, [0, "k" * (256 + over), EVENT, 0, bytes(16), None, 0]
    yield "history", 5, [EVENT, 0, 0, 0, 0, 0, SPENT, 0, None, 0] + error + [[]]
    yield "history_of_attempts", 5, (
        [EVENT, 0, 0, 0, 0, 0, SPENT, 0, None, 0, "", "", [ATTEMPT] * (10 + over)]
    )
    yield "dead_letter", 6, (
        [0, 0, 0, 0, 0, SPENT, 0, 0, 0, "", b"", "t" * (128 + over), "", []]
    )
    yield "message", 7, [{"a": "v" * 4000, "b": "v" * (4190 + over)}, 0, 2**32 - 1, b""]
    yield "function", 8, ["n" * (64 + over)] + [0] * 9 + [2**60]
    yield "queue", 9, ["n" * (64 + over), 0, 0]
    yield "state", 10, [0, 0, 0, 0, 0, [0, 0, "", 0], 0, 0, 0, 0, marks, 0, 0]
    yield "state_of_a_boot", 10, (
        [0, 0, 0, 0, 0, [0, 0, "b" * (64 + over), -(2**63)], 0, 0, 0, 0, [], 0, 0]
    )


def records():
    for over, word in (0, "_at_a_limit"), (1, "_over_a_limit"):
        for name, kind, fields in at_limits(over):
            yield name + word, bytes([kind]) + pack([1] + fields)
    for name, (kind, fields) in RECORDS.items():
        yield name, bytes([kind]) + pack([1] + fields)
        yield name + "_of_a_later_version", bytes([kind]) + pack(
            [1] + fields + [7, [{"k": True}, None], 1.5]
        )
    # Each value of these extra fields would do as the next field of the outer record.
    yield "running_of_a_later_version_inside", b"\x02" + pack(
        [1, EVENT + [{0: 1}, [0, 0]], 0, SPENT + [[]], 1, 2, "", b"", 3, 4, True]
    )
    yield "running_of_an_earlier_version", b"\x02" + pack(
        [1, EVENT, 1, SPENT, 21, 22, "key", b"0123456789abcdef", 23, 24]
    )
    yield "running_bad_worker", b"\x02" + pack([1, EVENT, 0, SPENT, 1, 2, "", b"", 3, 4, 5])
    yield "queue_bad_version", b"\x09" + pack([2, "q", 0, 0])
    yield "queue_bad_missing", b"\x09" + pack([1, "q", 0])
    yield "waiting_bad_instant", b"\x01" + pack([1, -1, SPENT])
    yield "history_bad_word", b"\x05" + pack([1, EVENT, 2, 0, 0])
    yield "message_bad_twice_a_name", b"\x07\x95\x01\x82\xa1k\xa0\xa1k\xa0\0\0\xc4\0"
    yield "state_bad_claim", b"\x0a\xdc\x00\x02\x01\xdd\xff\xff\xff\xff"
    yield "state_bad_nesting", b"\x0a" + b"\x91" * 64
    for name, key in {
        "event": struct.pack(">IBQ", 7, 0, 9),
        "waiting": struct.pack(">IBQI", 7, 0, 9, 2),
        "due": struct.pack(">IBQQI", 7, 0, 1_700_000_000_000, 9, 2),
        "running": struct.pack(">QI", 9, 2),
        "history": struct.pack(">Q", 9),
        "dead_letter": struct.pack(">IQI", 7, 9, 2),
        "message": struct.pack(">IQQI", 1, 1_700_000_000_000, 9, 2),
        "idempotency": bytes(range(16)),
        "due_at_a_limit": struct.pack(">IBQQI", 7, 0, 2**60, 9, 2),
        "due_over_a_limit": struct.pack(">IBQQI", 7, 0, 2**60 + 1, 9, 2),
        "function": b"function/" + struct.pack(">I", 7),
        "queue": b"queue/" + struct.pack(">I", 7),
    }.items():
        yield "key_" + name, b"\x0b" + key
    yield "request_id", b"\x0c" + BOX_REQUEST_ID.encode()
    yield "request_id_in_capitals", b"\x0c" + BOX_REQUEST_ID.upper().encode()
    yield "marker", b"\x0dp00000000000004d2"
    yield "marker_in_capitals", b"\x0dhFFFFFFFFFFFFFFFF"


# --- config ------------------------------------------------------------------

CONFIGS = {
    "empty": "",
    "daemon": '[daemon]\nstate_directory = "/var/lib/holdfast"\ndrain_timeout = "20s"\n'
    'log_level = "warning"\ndark_time_ages = true\n',
    "socket": '[socket]\npath = "/run/holdfast.sock"\nmode = "0660"\ngroup = ""\n',
    "limits": "[limits]\nconnections_max = 1024\nattempts_running_max = 0\n"
    'memory_max = "64MiB"\ndisk_free_min = 1048576\nhistory_age_max = "7d"\n'
    "interruptions_max = 3\n",
    "queues": '[queues.done]\n[queues."lost"]\nbytes_max = "2 MiB"\nvisibility_timeout = "0s"\n',
    "function": '[queues]\ndone = {}\n[functions.resize]\ncommand = ["/bin/sh", "-c", "exit 0"]\n'
    'timeout = "900s"\non_success = "done"\non_failure = ""\ndead_letters_full = "drop_oldest"\n'
    'environment = { MODEL = "small", "odd name" = "\\u001B\\U0001F600" }\n',
    "retries": '[functions.a]\ncommand = ["/a"]\nretry = {retries = 0}\n[functions.b]\n'
    'command = ["/b"]\nretry = {delays = ["1s", "24h"]}\n[functions.c]\ncommand = ["/c"]\n'
    '[functions.c.retry]\nretries = 100\nbackoff_base = "1ms"\nbackoff_cap = "1h"\n',
    "texts": '[functions.x]\ncommand = [\'/lite\\ral\', """a\n"b" \\\n  c""", "\\t\\"\\\\\\u00e9"]\n'
    'environment.A = "\\u007F"\n',
    "bad_unknown_key": '[daemon]\nstate_directry = "/x"\n[queue.done]\n',
    "bad_ranges": '[limits]\nconnections_max = -1\nmemory_max = "1KiB"\nhistory_age_max = "366d"\n',
    "bad_types": '[daemon]\ndrain_timeout = 20\nlog_level = "loud"\n[socket]\nmode = 432\n',
    "bad_retry": '[functions.a]\ncommand = []\nretry = {retries = 1, delays = ["1s"]}\n',
    "bad_reference": '[functions.a]\ncommand = ["a\\u0000"]\ndead_letter = "donw"\n[queues.done]\n',
    "bad_environment": '[functions.a]\ncommand = ["/a"]\nenvironment = {"HOLDFAST_X" = "", "=" = 1}\n',
    "bad_syntax": "[daemon\nx = ",
    "bad_bytes": b"[daemon]\ngroup = \"\xff\xfe\x00\"\n",
    "bad_dates": "a = 1979-05-27T07:32:00-08:00\nb = 07:32:00.5\nc = [1e400, nan, -0.0, 0xFF]\n",
    "bad_twice": "[daemon]\n[daemon]\n",
    "bad_names": '["functions"."odd name\\n"]\ncommand = ["/x"]\n',
    "deep_list": "a = " + "[" * 300,
    "deep_key": "a" + ".a" * 300 + " = 1",
    "unit_duration": "90m",
    "unit_duration_with_a_space": "14 d",
    "unit_duration_too_long": "9223372036854775807d",
    "unit_bytes": "256MiB",
    "unit_mode": "0640",
}


# --- wal_audit ---------------------------------------------------------------


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def fragment(kind, payload):
    crc = crc32c(bytes([kind]) + payload)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<IHB", masked, len(payload), kind) + payload


def batch(sequence, count, payload=b"operations"):
    return struct.pack("<QI", sequence, count) + payload


def log(*batches):
    return b"".join(fragment(1, each) for each in batches)


def logs(*files, in_tables=0):
    return struct.pack(">BQ", 0, in_tables) + b"".join(
        struct.pack(">H", len(file)) + file for file in files
    )


def pieces(*typed):
    return b"\x01" + b"".join(
        struct.pack(">BH", kind, len(payload)) + payload for kind, payload in typed
    )


# An edit of a MANIFEST: log number, next file, last sequence 5, oldest log 4.
EDIT = b"\x01\x03abc\x02\x07\x03\x09\x04\x05\x0a\x04\xc8\x01\x01"

THREE = log(batch(1, 1), batch(2, 3), batch(5, 1))
# The second batch begins in the last 27 bytes of the first block.
LARGE = (
    fragment(1, batch(1, 1, b"x" * (32768 - 7 - 12 - 27)))
    + fragment(2, batch(2, 1, b"begin..."))
    + fragment(4, b"end")
)
LOGS = {
    "none": logs(),
    "clean": logs(THREE),
    "clean_two": logs(THREE + bytes(100), log(batch(6, 1), batch(7, 2)), in_tables=4),
    "torn": logs(THREE[:-5] + bytes(50)),
    "torn_header": logs(THREE + b"\x01\x02\x03"),
    "torn_then_goes_on": logs(THREE[:-5], log(batch(5, 2))),
    "torn_first_of_all": logs(log(batch(6, 1))[:-5], log(batch(6, 2)), in_tables=5),
    "damaged": logs(THREE[:12] + b"\xff" + THREE[13:]),
    "damaged_by_a_gap": logs(log(batch(1, 1), batch(3, 1))),
    "too_short_a_batch": logs(fragment(1, b"short") + THREE),
    "two_blocks": logs(LARGE),
    "manifest": logs(fragment(1, EDIT) + fragment(2, EDIT[:9]) + fragment(4, EDIT[9:])),
    "pieces_of_batches": pieces(
        (1, batch(1, 2)), (2, batch(3, 1)), (3, b"middle"), (4, b"last"), (1, batch(4, 1))
    ),
    "pieces_out_of_order": pieces((4, b"last"), (2, b""), (2, batch(1, 1)), (0, b""), (7, b"x")),
    "pieces_of_a_manifest": pieces((1, EDIT), (2, EDIT[:4]), (4, EDIT[4:])),
    "pieces_of_a_header": pieces((2, batch(9, 1)[:5]), (3, batch(9, 1)[5:11]), (4, batch(9, 1)[11:])),
    "pieces_of_extremes": pieces((1, batch(2**64 - 1, 2**32 - 1)), (1, batch(2**32 - 2, 0))),
    "accident_none": b"\x02" + bytes([0, 0, 0, 0, 1, 1, 2, 3, 40, 2, 1, 80, 3, 5, 9, 1, 0, 7, 2]),
    "accident_large": b"\x02" + bytes([0, 0, 0, 1, 0, 2, 3, 0, 200, 1, 1, 250, 1, 5, 31, 0, 2, 7]) * 2,
    "accident_cut": b"\x02" + bytes([0, 0, 0, 0, 1, 0, 1, 3, 40, 2, 1, 80, 3, 1, 0, 60]),
    "written_over": b"\x03" + bytes([1, 2, 3, 4, 0, 0, 0, 0, 1, 0, 2, 3, 2, 40, 1, 2, 80, 0, 2, 9] * 3),
    "written_over_cut": b"\x03"
    + bytes([9, 8, 7, 6, 0, 0, 0, 0, 1, 0, 1, 3, 2, 40, 1, 2, 80, 1, 60, 0, 0, 0, 0, 1, 1, 3, 200, 1, 250]),
    "accident_flip": b"\x02" + bytes([0, 0, 0, 0, 1, 0, 2, 3, 40, 2, 1, 80, 3, 2, 9, 2, 2, 1, 30, 3]),
}


def all_seeds():
    for name, value in requests():
        yield "wire", name, value
        yield "operations", name, value
    for name, value in REPLIES.items():
        yield "wire", name, pack(value)
    for name, value in STREAMS.items():
        yield "wire", name, value
    for name, value in RECIPES.items():
        yield "operations", name, value
    for name, value in records():
        yield "records", name, value
    for name, value in CONFIGS.items():
        yield "config", name, value if isinstance(value, bytes) else value.encode()
    for name, value in LOGS.items():
        yield "wal_audit", name, value
    for name, value in frame_seeds.FRAMES.items():
        yield "frames", name, value
    for name, value in worker_seeds.streams(pack, BOX_REQUEST_ID):
        yield "worker", name, value


def main(arguments):
    here = os.path.dirname(os.path.abspath(__file__))
    corpus = arguments[0] if arguments else os.path.join(here, "corpus")
    count = 0
    for target, name, value in all_seeds():
        folder = os.path.join(corpus, target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(value)
        count += 1
    print(f"{count} seeds in {corpus}")


if __name__ == "__main__":
    main(sys.argv[1:])
