"""Seeds of the target `worker`: what a worker is sent. seeds.py writes them."""


def streams(pack, request_id):
    attempt = {
        "FunctionName": "resize", "RequestId": request_id, "Attempt": 3,
        "InvocationType": "Event", "DeadlineAt": 1_700_000_003_000,
        "IdempotencyKey": "order-1", "Payload": b"pay\0load\xff",
    }
    attached = {
        "WorkerId": 1, "TimeoutMs": 3000, "ReattachWindowMs": 10_000,
        "Continued": [request_id], "Lost": [request_id.upper()],
    }
    stopped = {"RequestId": request_id, "Attempt": 3, "Reason": "TimedOut"}
    run = pack([2, "RunAttempt", [attempt]])
    stop = pack([2, "StopAttempt", [stopped]])
    reply = pack([1, 1, None, attached])
    conflict = {"Type": "ResourceConflictException", "Message": "not this worker's"}
    yield "run", run
    yield "stop", stop
    yield "attached", reply
    yield "attached_without_a_window", pack([1, 1, None, {"TimeoutMs": 1}])
    yield "beaten", pack([1, 2, None, {"DeadlineAt": 1_700_000_006_000}])
    yield "answered", pack([1, 3, None, {}])
    yield "refused", pack([1, 4, conflict, None])
    yield "conversation", reply + run + pack([1, 2, None, {}]) + stop + pack([1, 3, conflict, None])
    yield "later_field", pack([2, "RunAttempt", [{**attempt, "LaterField": [{"a": 1.5}]}]])
    yield "later_push", pack([2, "LaterPush", [{}]]) + stop
    yield "text_payload", pack([2, "RunAttempt", [{**attempt, "Payload": "text \xe9"}]])
    numbers = {"zero": 0, "negative": -1, "largest": 2**63 - 1, "too_large": 2**63}
    for name, number in numbers.items():
        yield "attempt_" + name, pack([2, "StopAttempt", [{**stopped, "Attempt": number}]])
        yield "timeout_" + name, pack([1, 1, None, {**attached, "TimeoutMs": number}])
        yield "window_" + name, pack([1, 1, None, {**attached, "ReattachWindowMs": number}])
    yield "large_payload", pack([2, "RunAttempt", [{**attempt, "Payload": b"x" * 40_000}]])
    yield "bad_cut_off", run[:-3]
    yield "bad_then_garbage", run + b"\xc1" + stop
    yield "bad_missing_field", pack([2, "RunAttempt", [{"RequestId": request_id}]])
    yield "bad_types", pack([2, "RunAttempt", [{**attempt, "Attempt": "3", "Payload": 7}]])
    yield "bad_continued", pack([1, 1, None, {**attached, "Continued": [1, None, b"x", "x"]}])
    key = pack("Attempt")
    yield "bad_twice_a_key", b"\x93\x02\xa1x\x91\x82" + key + b"\1" + key + b"\2"
    yield "bad_request", pack([0, 1, "RunAttempt", [attempt]])
    yield "bad_no_map", pack([2, "RunAttempt", [[attempt]]])
    yield "bad_two_maps", pack([2, "RunAttempt", [attempt, attempt]])
    yield "bad_four_elements", pack([2, "RunAttempt", [attempt], None])
    yield "bad_no_method", pack([2, "", [attempt]])
    yield "bad_method_too_long", pack([2, "m" * 65, [attempt]])
    yield "bad_nesting", b"\x93\x02\xa1x\x91\x81\xa1a" + b"\x91" * 14
    yield "nesting_at_its_limit", b"\x93\x02\xa1x\x91\x81\xa1a" + b"\x91" * 12 + b"\xc0"
    claim = b"\x93\x02\xa1x\x91\x81\xa1a\xc6\xff\xff\xff\xff"
    yield "bad_claim", claim
    yield "bad_claim_and_more", claim + b"more" * 4
    yield "bad_extension", b"\x93\x02\xa1x\x91\x81\xa1a\xd4\x01\x02"
