"""Pictures of curves, as SVG by hand: x logarithmic, y from zero, readable on light and dark.

    curve("Accepts a second", "connections", "accepts/s", {"holdfast": [(1, 900), (16, 9000)]})
"""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape

import figures

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 64, 52
LEGEND_STEP = 160
TICKS_MAX = 6

# Lines differ in colour and in dash, so that neither is needed alone.
_DASHES = ("", "8 4", "2 4", "12 4 2 4", "5 2", "1 3")
_STYLE = """
  text { font: 13px sans-serif; fill: #24292f }
  .title { font-weight: bold; font-size: 15px }
  .axis { stroke: #57606a; fill: none }
  .grid { stroke: #d0d7de }
  .line { fill: none; stroke-width: 2.2 }
  .c0 { stroke: #0a5fc2 } .c1 { stroke: #b45309 } .c2 { stroke: #c01c28 }
  .c3 { stroke: #1a7f37 } .c4 { stroke: #8250df } .c5 { stroke: #57606a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .axis { stroke: #8b949e }
    .grid { stroke: #30363d }
    .c0 { stroke: #58a6ff } .c1 { stroke: #e3a008 } .c2 { stroke: #ff7b72 }
    .c3 { stroke: #56d364 } .c4 { stroke: #bc8cff } .c5 { stroke: #b1bac4 }
  }
"""


class Frame(NamedTuple):
    """Where a point lies: x by its logarithm between least and most, y between 0 and top."""

    least: float
    most: float
    top: float

    def x(self, value):
        width = math.log(self.most / self.least) or 1.0
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / self.least) / width

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top


def step_for(most):
    """A round distance of ticks: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1.0
    rough = most / TICKS_MAX
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough * 0.999)


def short(value):
    """10,000,000 is 10M on an axis."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def label(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def grid(frame, step, ticks):
    parts = []
    for count in range(round(frame.top / step) + 1):
        y = frame.y(count * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/>')
        parts.append(label(LEFT - 8, y + 4, short(count * step), ' text-anchor="end"'))
    for value in ticks:
        parts.append(label(frame.x(value), HEIGHT - BOTTOM + 18, short(value),
                           ' text-anchor="middle"'))
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    return parts


def line(frame, number, name, points):
    look = f'class="line c{number % 6}" stroke-dasharray="{_DASHES[number % len(_DASHES)]}"'
    places = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
    left, top = LEFT + LEGEND_STEP * (number % 4), 40 + 17 * (number // 4)
    return [
        f'<polyline {look} points="{places}"><title>{escape(name)}</title></polyline>',
        f'<line {look} x1="{left}" x2="{left + 28}" y1="{top - 4}" y2="{top - 4}"/>',
        label(left + 34, top, name),
    ]


def curve(title, x_words, y_words, lines):
    """`lines` is {name: [(x, y), ...]}; those without points are left out."""
    lines = {name: points for name, points in lines.items() if points}
    ticks = sorted({x for points in lines.values() for x, _ in points})
    most = max(y for points in lines.values() for _, y in points)
    step = step_for(most)
    frame = Frame(ticks[0], ticks[-1], step * max(1, math.ceil(most / step - 1e-9)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>",
        label(LEFT, 18, title, ' class="title"'),
        *grid(frame, step, ticks),
        label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_words, ' text-anchor="middle"'),
        label(0, 0, y_words, f' text-anchor="middle" transform="translate(16 {HEIGHT // 2}) '
                             'rotate(-90)"'),
    ]
    for number, (name, points) in enumerate(lines.items()):
        parts += line(frame, number, name, points)
    return "\n".join([*parts, "</svg>"]) + "\n"


def medians(rounds, key):
    """{x: rounds} to points."""
    return [(int(x), figures.spread([one[key] for one in each]).median)
            for x, each in rounds.items() if each]


def of_accepts(found):
    lines = {}
    for name, shapes in found["rounds"].items():
        single = {shape: rounds for shape, rounds in shapes.items() if shape.isdigit()}
        lines[name] = medians(single, "per_s")
    return curve("Accepts of 1 KB events a second, by connections", "connections", "accepts/s",
                 lines)


def of_cycles(found):
    lines = {name: medians({shape.split("+")[0]: rounds for shape, rounds in shapes.items()},
                           "per_s") for name, shapes in found["rounds"].items()}
    return curve("Full cycles of 1 KB events a second", "producers, and as many workers",
                 "cycles/s", lines)


def of_backlog(found):
    smallest = min(found["many"], key=int)
    sizes = {str(found["few_waiting"]): found["few"][smallest], **found["many"]}
    return curve("An accept in a full cycle of 16+16, by events that wait", "events waiting",
                 "µs", {"p50": medians(sizes, "accept_p50_us"),
                        "p99": medians(sizes, "accept_p99_us")})


# File names, and the measures they are made from.
PICTURES = {
    "accepts.svg": ("accepts", of_accepts),
    "cycles.svg": ("cycles", of_cycles),
    "backlog.svg": ("backlog", of_backlog),
}
