"""Seeds of the target `frames`: what handlers write, and payloads. seeds.py writes them."""

import struct

LINES, PREFIXED = 0, 1
# Of a result, by its place in frames_fuzz.cc.
BOUNDS = [0, 1, 7, 64, 1000, 6 << 20]


# What is written before the text.
NOTHING, SPACES = 0, 1


def written(framing, bound, text, before=NOTHING):
    return bytes([framing + 2 * (BOUNDS.index(bound) + len(BOUNDS) * before)]) + text


def prefixed(head, body=b""):
    return struct.pack(">II", len(head), len(body)) + head + body


FRAMES = {
    "lines": written(
        LINES,
        1000,
        b'{"Ready": true}\n{"RequestId":"a","Result":{"n": 1.50, "s":"}\\""}}\r\n\n'
        b'{"RequestId":"b"}\n{"RequestId":"c","Error":{"Type":"T","Message":"m"}}\n',
    ),
    "lines_cut_off": written(LINES, 64, b'{"Ready": true}\n{"RequestId":"a","Res'),
    "lines_base64": written(
        LINES, 7, b'{"RequestId":"a","Result":"/wD/AP8A/w==","ResultEncoding":"base64"}\n'
    ),
    "lines_base64_over_a_limit": written(
        LINES, 7, b'{"RequestId":"a","Result":"/wD/AP8A/wA=","ResultEncoding":"base64"}\n'
    ),
    "lines_bad_base64": written(
        LINES, 64, b'{"RequestId":"a","Result":"/x==","ResultEncoding":"base64"}\n'
    ),
    "lines_base64_of_a_number": written(
        LINES, 64, b'{"RequestId":"a","Result":1234,"ResultEncoding":"base64"}\n'
    ),
    "lines_at_a_limit": written(LINES, 7, b'{"RequestId":"a","Result": "12345" }\n'),
    "lines_over_a_limit": written(LINES, 7, b'{"RequestId":"a","Result":"123456"}\n'),
    "lines_at_their_limit": written(LINES, 0, b"1234\n", SPACES),
    "lines_over_their_limit": written(LINES, 0, b"12345\n", SPACES),
    "lines_without_end": written(LINES, 0, b"x" * 70, SPACES),
    "lines_twice_a_name": written(
        LINES, 64, b'{"Result":1,"RequestId":"a","R\\u0065sult":[2],"\\"Result":3,":":4}\n'
    ),
    "lines_long_number": written(
        LINES, 1000, b'{"RequestId":"a","Result":-1e999,"Error":' + b"9" * 400 + b"}\n"
    ),
    "lines_long_error": written(
        LINES, 0, b'{"RequestId":"a","Error":{"Type":"' + "\u20ac".encode() * 400 + b'"}}\n'
    ),
    "lines_zero_byte": written(LINES, 64, b'{"RequestId":"a"}\0,"Error\n'),
    "lines_byte_order_mark": written(LINES, 64, b'\xef\xbb\xbf{"Ready":true}\n'),
    "lines_deep": written(LINES, 6 << 20, b'{"Result":' + b"[" * 5000 + b"]" * 5000 + b"}\n"),
    "lines_empty": written(LINES, 0, b"\n\r\n  \n" * 4000 + b'{"Ready":true}\n'),
    "lines_junk": written(LINES, 0, b"starting up...\n"),
    "prefixed": written(
        PREFIXED,
        64,
        prefixed(b'{"Ready":true}')
        + prefixed(b'{"RequestId":"a"}', b"\0\n{bytes")
        + prefixed(b'{"RequestId":"b","Error":{}}'),
    ),
    "prefixed_at_a_limit": written(PREFIXED, 7, prefixed(b'{"RequestId":"a"}', b"1234567")),
    "prefixed_over_a_limit": written(PREFIXED, 7, prefixed(b'{"RequestId":"a"}', b"12345678")),
    "prefixed_long_head": written(PREFIXED, 0, struct.pack(">II", 64 * 1024 + 1, 0)),
    "prefixed_cut_off": written(PREFIXED, 64, prefixed(b'{"RequestId":"a"}', b"result")[:-2]),
    "prefixed_no_object": written(PREFIXED, 64, prefixed(b"") + prefixed(b"[]")),
    "prefixed_a_line": written(PREFIXED, 64, b'{"Ready":true}\n'),
    # As a payload: JSON on several lines, and what only looks like JSON.
    "payload_lines": written(LINES, 0, b'{\r\n  "a": ["x\\n", 1e5]\n}\n'),
    "payload_zero_byte": written(LINES, 0, b'1\0,"RequestId":"x"'),
    "payload_byte_order_mark": written(LINES, 0, b"\xef\xbb\xbf{}"),
    "payload_behind_a_head": written(LINES, 0, bytes([3, 1, 0, 9, 2, 0x6B, 0xFF]) + b'["\\u00e9"]'),
}
