"""The rules that a script can check. Each yields complaints as `path:line: sentence`.

The include table is the arrows of daemon/ARCHITECTURE.md: storage/base and client/wire,
then pure storage, then config, storage/rocks, daemon/uv and client, then daemon/core,
then the daemon's shell, then main.cc.
"""

import os
import re

import source_text

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

SOURCE_FOLDERS = ("storage", "config", "client", "daemon")
TOP_LEVEL = {"daemon", "storage", "client", "config", "systemd", "tests"}
TOP_LEVEL |= {"meson.build", "README.md", "LICENSE"}

BASE = r"storage/base/[^/]+"
STORAGE = r"storage/[^/]+"
WIRE = r"client/wire/.+"
CONFIG = r"config/.+"
CORE = r"daemon/core/.+"
POSIX = r"<(?:(?:sys|linux|netinet|arpa)/)?[a-z0-9_]+\.h>"
UV = r"<uv(?:\.h|/.+)>"
ROCKSDB = r"<rocksdb/.+>"
SPDLOG = r"<(?:spdlog|fmt)/.+>"
MSGPACK = r"<msgpack(?:\.hpp|/.+)>"
TOML = r"<toml\+\+/.+>"
CLI11 = r"<CLI/.+>"
JSON = r"<nlohmann/.+>"
XXHASH = r"<xxhash\.h>"
SYSTEMD = r"<systemd/.+>"
FOREIGN = (UV, ROCKSDB, SPDLOG, MSGPACK, TOML, CLI11, JSON, XXHASH, SYSTEMD)

# The first row whose pattern matches a file's whole path says what it may include, on
# top of the standard library. A file in none of the rows is a complaint itself.
LAYERS = (
    (r"storage/base/.+", (BASE,)),
    (r"storage/rocks/.+", (BASE, STORAGE, r"storage/rocks/.+", POSIX, ROCKSDB)),
    (r"storage/codec(?:_[a-z]+)?\.cc", (BASE, WIRE, STORAGE, MSGPACK)),
    (r"storage/keys\.cc", (BASE, WIRE, STORAGE, XXHASH)),
    (r"storage/[^/]+", (BASE, WIRE, STORAGE)),
    (r"config/.+", (BASE, STORAGE, CONFIG, POSIX, TOML)),
    (r"client/wire/.+", (BASE, WIRE, MSGPACK)),
    (r"client/cli/.+", (BASE, STORAGE, r"client/.+", POSIX, MSGPACK, CLI11, JSON)),
    (r"client/[^/]+", (BASE, STORAGE, WIRE, r"client/[^/]+", POSIX, MSGPACK)),
    (r"daemon/uv/.+", (BASE, STORAGE, r"daemon/uv/.+", POSIX, UV)),
    (r"daemon/core/json_text\.cc", (BASE, STORAGE, WIRE, CONFIG, CORE, JSON)),
    (r"daemon/core/.+", (BASE, STORAGE, WIRE, CONFIG, CORE)),
    (r"daemon/pool/.+", (BASE, STORAGE, CONFIG, CORE, r"daemon/pool/.+", JSON)),
    (r"daemon/spawner/.+", (BASE, STORAGE, r"daemon/spawner/.+", POSIX)),
    (r"daemon/api/.+", (BASE, STORAGE, WIRE, CONFIG, CORE, r"daemon/api/.+", MSGPACK)),
    (
        r"daemon/(?:session|server)\.(?:h|cc)",
        (BASE, STORAGE, WIRE, CONFIG, r"daemon/.+", POSIX, SPDLOG, MSGPACK),
    ),
    (r"daemon/notify\.cc", (BASE, r"daemon/notify\.h", POSIX, SYSTEMD)),
    (
        r"daemon/main\.cc",
        (BASE, STORAGE, r"storage/rocks/.+", CONFIG, r"daemon/.+", POSIX, SPDLOG, CLI11),
    ),
    (
        r"daemon/[^/]+",
        (BASE, STORAGE, r"storage/rocks/.+", WIRE, CONFIG, r"daemon/.+", POSIX, SPDLOG),
    ),
)

BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BANNED_CODE = (
    (re.compile(r"\busing\s+namespace\s+std\s*;"), "using namespace std"),
    (re.compile(r"\bgoto\b"), "goto"),
)
BANNED_WAITS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(")

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+")', re.MULTILINE)
_TEXT_SUFFIXES = (".h", ".cc", ".py", ".sh", ".toml", ".build", ".md", ".service")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def files(root, folders, suffixes):
    """Paths from the top, sorted, of the files below the folders."""
    found = []
    for folder in folders:
        for parent, names, entries in os.walk(os.path.join(root, folder)):
            names[:] = [name for name in names if not name.startswith((".", "__"))]
            for entry in entries:
                if entry.endswith(suffixes):
                    found.append(os.path.relpath(os.path.join(parent, entry), root))
    return sorted(found)


def line_of(text, index):
    return text.count("\n", 0, index) + 1


def layer_of(path):
    for pattern, allowed in LAYERS:
        if re.fullmatch(pattern, path):
            return allowed
    return None


def is_standard(header):
    return re.fullmatch(r"<[a-z_0-9]+>", header) is not None


def include_allowed(header, allowed):
    name = header.strip('"')
    if header.startswith("<") and is_standard(header):
        return True
    for pattern in FOREIGN:
        if re.fullmatch(pattern, name):
            return pattern in allowed
    return any(re.fullmatch(pattern, name) for pattern in allowed)


def includes_point_down(root):
    for path in files(root, SOURCE_FOLDERS, (".h", ".cc")):
        allowed = layer_of(path)
        if allowed is None:
            yield f"{path}:1: this place belongs to no layer of the include table"
            continue
        text = read(root, path)
        for match in _INCLUDE.finditer(text):
            header = match.group(1)
            if not include_allowed(header, allowed):
                yield f"{path}:{line_of(text, match.start())}: must not include {header}"


def no_program_is_included(root):
    """Sources and main.cc are the upper end of the arrows: nothing points at them."""
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".h", ".cc")):
        text = read(root, path)
        for match in _INCLUDE.finditer(text):
            if re.fullmatch(r'".*(?:\.cc|/main\.h)"', match.group(1)):
                yield f"{path}:{line_of(text, match.start())}: must not include {match.group(1)}"


def includes_name_files_from_the_top(root):
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".h", ".cc")):
        text = read(root, path)
        for match in _INCLUDE.finditer(text):
            header = match.group(1)
            if header.startswith('"') and not os.path.isfile(os.path.join(root, header.strip('"'))):
                yield f"{path}:{line_of(text, match.start())}: no file {header} below the top"


def headers_are_included_once(root):
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".h",)):
        if not re.search(r"^#pragma once$", read(root, path), re.MULTILINE):
            yield f"{path}:1: no #pragma once"


def files_are_short(root):
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".h", ".cc", ".py", ".sh")):
        count = len(read(root, path).splitlines())
        if count > FILE_LINES_MAX:
            yield f"{path}:{count}: {count} lines, at most {FILE_LINES_MAX}"


def functions_are_short(root):
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".h", ".cc")):
        for line, count, head in source_text.functions(read(root, path)):
            if count > FUNCTION_LINES_MAX:
                name = " ".join(head.split())[:60]
                yield f"{path}:{line}: {count} lines, at most {FUNCTION_LINES_MAX}: {name}"


def lines_are_clean(root):
    for path in files(root, SOURCE_FOLDERS + ("tests", "systemd"), _TEXT_SUFFIXES):
        text = read(root, path)
        code = path.endswith((".h", ".cc"))
        for number, line in enumerate(text.splitlines(), 1):
            if code and len(line) > COLUMNS_MAX:
                yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"
            if "\t" in line:
                yield f"{path}:{number}: a tab"
            if line != line.rstrip():
                yield f"{path}:{number}: space at the end of the line"
        if text and not text.endswith("\n"):
            yield f"{path}:{len(text.splitlines())}: no newline at the end of the file"


def no_banned_words(root):
    for path in files(root, SOURCE_FOLDERS + ("tests", "systemd"), _TEXT_SUFFIXES):
        if path.startswith("tests/tidy/"):
            continue  # the rules have to name what they forbid
        text = read(root, path)
        for match in BANNED_WORDS.finditer(text):
            yield f"{path}:{line_of(text, match.start())}: {match.group(1)}"
        if not path.endswith((".h", ".cc")):
            continue
        code = source_text.code_only(text)
        for pattern, name in BANNED_CODE:
            for match in pattern.finditer(code):
                yield f"{path}:{line_of(text, match.start())}: {name}"
        if path.startswith("tests/"):
            continue
        for match in BANNED_WAITS.finditer(code):
            yield f"{path}:{line_of(text, match.start())}: {match.group(1)} outside of tests"


def sources_are_built(root):
    """A .cc that no meson.build above it names is a dead file."""
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".cc",)):
        folder, listed = os.path.dirname(path), False
        while folder and not listed:
            build = os.path.join(root, folder, "meson.build")
            if os.path.isfile(build):
                lines = read(root, os.path.join(folder, "meson.build")).splitlines()
                text = "\n".join(line.split("#")[0] for line in lines)
                listed = f"'{os.path.relpath(path, folder)}'" in text
            folder = os.path.dirname(folder)
        if not listed:
            yield f"{path}:1: no meson.build above it names this file"


# Each of their files is a program of its own.
SEPARATE_PROGRAMS = ("tests/bench", "tests/fuzz")


def hidden_names_are_unique(root):
    """In an unnamed namespace, a name that another file of the folder has there as well.

    Sanitized builds compile several files as one (tests/run.sh). A type or a constant that is
    there twice would not compile, and a function would be overloaded in silence.
    """
    first = {}
    for path in files(root, SOURCE_FOLDERS + ("tests",), (".cc",)):
        folder = os.path.dirname(path)
        if folder in SEPARATE_PROGRAMS:
            continue
        for space, name, line in source_text.hidden_names(read(root, path)):
            other = first.setdefault((folder, space, name), path)
            if other != path:
                yield f"{path}:{line}: {name} is in {other} as well: share it or rename it"


def top_level_is_fixed(root):
    entries = set(os.listdir(root))
    for name in sorted(TOP_LEVEL - entries):
        yield f"{name}:1: missing at the top"
    for name in sorted(entries - TOP_LEVEL):
        build_folder = name.startswith("build") and os.path.isdir(os.path.join(root, name))
        if not name.startswith(".") and not build_folder:
            yield f"{name}:1: does not belong at the top"


RULES = (
    includes_point_down,
    no_program_is_included,
    includes_name_files_from_the_top,
    headers_are_included_once,
    files_are_short,
    functions_are_short,
    lines_are_clean,
    no_banned_words,
    sources_are_built,
    hidden_names_are_unique,
    top_level_is_fixed,
)
