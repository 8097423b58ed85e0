"""Tables in Markdown, and the JSON that a killed run leaves behind."""

import json
import os
from typing import NamedTuple

import figures


class Table(NamedTuple):
    title: str
    heads: list
    rows: list


def markdown(table):
    lines = [table.heads, ["---"] * len(table.heads), *table.rows]
    text = "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)
    return f"**{table.title}**\n\n{text}\n" if table.title else text + "\n"


def system_rows(found, systems, shapes, key):
    """A row for each system, a column for each shape; a reason where there is nothing."""
    rows = []
    for system in systems:
        cells = []
        for shape in shapes:
            rounds = found["rounds"].get(system.name, {}).get(shape, [])
            cells.append(figures.text(figures.spread([one.get(key) for one in rounds])))
        why = found["skipped"].get(system.name)
        rows.append([system.name, *([f"skipped: {why}"] * len(cells) if why else cells)])
    return rows


def goals_table(goals):
    return Table("", ["goal", "measured", "verdict"], [list(goal) for goal in goals])


def conditions_text(conditions):
    memory = conditions["memory_bytes"] / (1 << 30)
    return (f"{conditions['date']}, {conditions['processors']} x {conditions['processor']}, "
            f"{memory:.0f} GiB, Linux {conditions['kernel']}, {conditions['file_system']} on "
            f"{conditions['disk']}; holdfast {conditions['holdfast']} at {conditions['commit']}, "
            f"redis {conditions['redis']}, {conditions['beanstalkd']}; {conditions['rounds']} "
            f"rounds of {figures.number(conditions['seconds'])} s.")


def section(measure, kept):
    """All that one measure has to say. `kept` is its part of the JSON."""
    parts = [f"### {measure.TITLE}\n", conditions_text(kept["conditions"]) + "\n"]
    parts += [markdown(table) for table in measure.tables(kept["found"])]
    return "\n".join(parts)


def whole(measures, kept):
    """The report of every measure that `kept` has something of."""
    present = [one for one in measures if one.NAME in kept]
    goals = [goal for one in present for goal in one.goals(kept[one.NAME]["found"])]
    parts = [section(one, kept[one.NAME]) for one in present]
    if goals:
        parts.append("### Goals\n\n" + markdown(goals_table(goals)))
    return "\n".join(parts)


def load(path):
    if not path or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(path, kept):
    """Replaces the file at once, so that whoever is killed here leaves the old one."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".new", path)
