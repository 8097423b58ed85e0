"""Reads C++ well enough to measure it: blanks comments and literals, finds functions."""

import re

# One alternative per thing whose inside is not code. Raw strings come before strings.
_OPAQUE = re.compile(
    r"""
      //[^\n]*
    | /\*.*?\*/
    | (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
    | "(?:\\.|[^"\\\n])*"
    | (?<![0-9a-zA-Z_])(?:u8|[uUL])?'(?:\\.|[^'\\\n])+'
    """,
    re.VERBOSE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
_SCOPE = re.compile(r"^(?:inline\s+)?namespace\b|^extern\s*$")
_TYPE = re.compile(r"^(?:typedef\s+)?(?:class|struct|union|enum)\b")
_TEMPLATE = re.compile(r"^template\s*<")
_LABEL = re.compile(r"\s*(?:public|protected|private)\s*")


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_only(text):
    """The same text, as long and with the same lines, without comments and literals."""
    return _OPAQUE.sub(_blank, text)


def _skip_template(head):
    """The head without its leading template<...>; brackets inside may nest."""
    while _TEMPLATE.match(head):
        depth = 0
        for index in range(head.index("<"), len(head)):
            depth += {"<": 1, ">": -1}.get(head[index], 0)
            if depth == 0:
                break
        head = head[index + 1 :].lstrip()
        head = re.sub(r"^requires\s+[\w:<>, ]+?\s(?=class|struct|union)", "", head)
    return head


def _opens_scope(head):
    """True if declarations follow the brace, as in a namespace or a class."""
    head = _skip_template(head.strip())
    head = re.sub(r"\[\[.*?\]\]|alignas\s*\(.*?\)", " ", head).strip()
    if _SCOPE.match(head):
        return True
    return bool(_TYPE.match(head)) and "(" not in head and "=" not in head


def _closing(code, opening):
    """The index of the brace that closes the one at `opening`, or the end of the text."""
    depth = 0
    for index in range(opening, len(code)):
        depth += {"{": 1, "}": -1}.get(code[index], 0)
        if depth == 0:
            return index
    return len(code) - 1


def functions(text):
    """Yields (first line, line count, signature) for each function with a body.

    A statement at declaration level that has parentheses and a brace outside of them is
    a function. It ends with the brace that no comma, brace or semicolon follows, so
    that `: a_{a}, b_{b} {` is part of it, and a function in a class counts by itself.
    """
    code = _DIRECTIVE.sub(_blank, code_only(text))
    head, start, parens, braces = "", 0, 0, False
    index = 0
    while index < len(code):
        char = code[index]
        if not head.strip():
            start = index
        if char == "{" and parens > 0:
            index = _closing(code, index)
        elif char == "{" and _opens_scope(head):
            head = ""
        elif char == "{":
            index = _closing(code, index)
            braces = True
            following = code[index + 1 :].lstrip()[:1]
            if following not in (",", "{", ";", "="):
                if "(" in head:
                    first = code.count("\n", 0, start)
                    yield first + 1, code.count("\n", 0, index) - first + 1, head.split("{")[0]
                head, braces = "", False
        elif char == ":" and _LABEL.fullmatch(head):
            head = ""
        elif char == "}" or (char == ";" and parens == 0):
            if braces and "(" in head and char == ";" and "=" not in head:
                first = code.count("\n", 0, start)
                yield first + 1, code.count("\n", 0, index) - first + 1, head
            head, braces = "", False
        else:
            parens = max(0, parens + {"(": 1, ")": -1}.get(char, 0))
            head += char
        index += 1


_NAMESPACE = re.compile(r"namespace ([\w:]+) \{")
_ONE_LINE_TEMPLATE = re.compile(r"template <.*>\s")
_DECLARED = re.compile(
    r"(?:struct|class|enum class|enum) (\w+)\b(?!;)"
    r"|(?:constexpr|const) [\w:<>,&* ]*?[ &*](\w+)(?:\[\d*\])?(?: =|\{|;)"
    r"|[A-Za-z_\[][\w:<>,&*\[\] ]*?[ &*](\w+)\("
)
# Its macros, and the printers that it finds by the type of their argument.
_OF_GOOGLETEST = re.compile(r"[A-Z_]+$|PrintTo$")


def hidden_names(text):
    """(namespace, name, line) of what unnamed namespaces declare at the beginning of a line."""
    space, hidden = "", False
    lines = zip(text.split("\n"), code_only(text).split("\n"))
    for number, (line, code) in enumerate(lines, start=1):
        named = _NAMESPACE.match(code)
        if named:
            space = named.group(1)
        elif code.startswith("namespace {"):
            hidden = True
        elif line == "}  // namespace":
            hidden = False
        elif hidden:
            declared = _DECLARED.match(_ONE_LINE_TEMPLATE.sub("", code, count=1))
            name = declared and next(group for group in declared.groups() if group)
            if name and not _OF_GOOGLETEST.match(name):
                yield space, name, number
