"""What a row of rounds says: median, spread, ratios, and whether a goal is met.

Rule    A goal that lies inside the spread of the rounds is "not shown".
Reason  Another run of the same programs could then show the opposite.
Rule    A ratio is taken round by round, between rounds that ran one after the other.
Reason  What slows the machine for a minute slows both.
"""

import statistics
from typing import NamedTuple

MET, MISSED, NOT_SHOWN, NOT_MEASURED = "met", "missed", "not shown", "not measured"


class Spread(NamedTuple):
    median: float
    least: float
    most: float


class Goal(NamedTuple):
    """A row of the table of goals; the words are for people."""

    goal: str
    measured: str
    verdict: str


def spread(values):
    """None without values."""
    values = [value for value in values if value is not None]
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def ratios(of, to):
    """The spread of of/to, round by round; None if either has none."""
    return spread([a / b for a, b in zip(of or [], to or []) if b])


def at_least(bound, found):
    if found is None:
        return NOT_MEASURED
    if found.least >= bound:
        return MET
    return MISSED if found.most < bound else NOT_SHOWN


def at_most(bound, found):
    if found is None:
        return NOT_MEASURED
    if found.most <= bound:
        return MET
    return MISSED if found.least > bound else NOT_SHOWN


def number(value):
    """Three digits that matter, and thousands apart: 0.85, 12.3, 1,234."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def text(found, unit=""):
    """`median (least..most)`, or one number where all rounds agree."""
    if found is None:
        return "-"
    after = f" {unit}" if unit else ""
    if found.least == found.most:
        return number(found.median) + after
    return f"{number(found.median)} ({number(found.least)}..{number(found.most)}){after}"


def goal_at_least(words, bound, found, unit=""):
    return Goal(f"{words}: at least {with_unit(bound, unit)}", text(found, unit),
                at_least(bound, found))


def goal_at_most(words, bound, found, unit=""):
    return Goal(f"{words}: at most {with_unit(bound, unit)}", text(found, unit),
                at_most(bound, found))


def with_unit(bound, unit):
    return f"{number(bound)} {unit}".strip()
