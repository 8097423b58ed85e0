"""What the benchmarks say of their figures: spreads, verdicts, tables, pictures."""

import json
import os
import tempfile
import unittest
import xml.etree.ElementTree

import accepts
import bench
import figures
import kernel
import pictures
import report
import systems
from figures import Spread
from setting import Setting

CONDITIONS = {"date": "2026-01-01", "processor": "One", "processors": 2, "memory_bytes": 1 << 30,
              "kernel": "6.1", "file_system": "ext4", "disk": "vda", "holdfast": "1.0",
              "commit": "abc", "redis": "7.0.15", "beanstalkd": "beanstalkd 1.12", "rounds": 3,
              "seconds": 20.0}


class FiguresTest(unittest.TestCase):
    def test_a_spread_is_median_least_and_most(self):
        self.assertEqual(figures.spread([3, 1, 2]), Spread(2, 1, 3))
        self.assertEqual(figures.spread([None, 5]), Spread(5, 5, 5))
        self.assertIsNone(figures.spread([]))
        self.assertIsNone(figures.spread([None]))

    def test_a_ratio_is_taken_round_by_round(self):
        self.assertEqual(figures.ratios([10, 40], [10, 20]), Spread(1.5, 1.0, 2.0))
        self.assertIsNone(figures.ratios([], [1]))
        self.assertIsNone(figures.ratios([1], [0]))
        self.assertIsNone(figures.ratios(None, None))

    def test_a_goal_inside_the_spread_is_not_shown(self):
        found = Spread(1.2, 1.1, 1.3)
        self.assertEqual(figures.at_least(1.1, found), "met")
        self.assertEqual(figures.at_least(1.2, found), "not shown")
        self.assertEqual(figures.at_least(1.3, found), "not shown")
        self.assertEqual(figures.at_least(1.4, found), "missed")
        self.assertEqual(figures.at_most(1.3, found), "met")
        self.assertEqual(figures.at_most(1.2, found), "not shown")
        self.assertEqual(figures.at_most(1.1, found), "not shown")
        self.assertEqual(figures.at_most(1.0, found), "missed")

    def test_a_goal_without_figures_is_not_measured(self):
        self.assertEqual(figures.goal_at_least("speed", 2, None),
                         ("speed: at least 2", "-", "not measured"))
        self.assertEqual(figures.at_most(2, None), "not measured")

    def test_a_goal_of_nothing_is_met_by_nothing(self):
        self.assertEqual(figures.goal_at_most("idle", 0, Spread(0, 0, 0)),
                         ("idle: at most 0", "0", "met"))

    def test_numbers_show_three_digits(self):
        shown = [figures.number(value) for value in (0.8512, 1, 12.345, 99.96, 1234.5, 0, None)]
        self.assertEqual(shown, ["0.85", "1", "12.3", "100.0", "1,234", "0", "-"])
        self.assertEqual(figures.text(Spread(1.5, 1.25, 2), "ms"), "1.50 (1.25..2) ms")
        self.assertEqual(figures.text(Spread(7, 7, 7)), "7")


class ReportTest(unittest.TestCase):
    def found(self):
        rounds = {"holdfast": 90, "ceiling": 100, "redis": 60}
        return {"rounds": {name: {shape: [{"per_s": rate, "p99_us": 50}] * 3
                                  for shape in accepts.SHAPES} for name, rate in rounds.items()},
                "skipped": {"beanstalkd": "not installed"}}

    def test_a_table_is_markdown(self):
        table = report.Table("Rates", ["", "1"], [["holdfast", "2"]])
        self.assertEqual(report.markdown(table),
                         "**Rates**\n\n|  | 1 |\n| --- | --- |\n| holdfast | 2 |\n")

    def test_what_is_not_installed_says_so(self):
        rows = report.system_rows(self.found(), accepts.SYSTEMS, ["1"], "per_s")
        self.assertEqual(rows[0], ["holdfast", "90"])
        self.assertEqual(rows[-1], ["beanstalkd", "skipped: not installed"])
        self.assertEqual(rows[3], ["holdfast, keyed", "-"])

    def test_accepts_are_judged(self):
        verdicts = {goal.goal: goal.verdict for goal in accepts.goals(self.found())}
        self.assertEqual(verdicts["accept, 16, against the ceiling: at least 0.85"], "met")
        self.assertEqual(verdicts["accept, 256, against Redis: at least 1.35"], "met")
        self.assertEqual(verdicts["accept, keyed, 1, against Redis: at least 1"], "not measured")

    def test_a_report_is_made_of_what_there_is(self):
        kept = {"accepts": {"conditions": CONDITIONS, "found": self.found()}}
        text = report.whole(bench.MEASURES, json.loads(json.dumps(kept)))
        self.assertIn("2 x One, 1 GiB, Linux 6.1, ext4 on vda", text)
        self.assertIn("| holdfast / ceiling | 0.90 |", text)
        self.assertIn("| goal | measured | verdict |", text)
        self.assertEqual(report.whole(bench.MEASURES, {}), "")

    def test_what_was_saved_is_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "figures.json")
            self.assertEqual(report.load(path), {})
            report.save(path, {"accepts": {"found": [1]}})
            self.assertEqual(report.load(path), {"accepts": {"found": [1]}})
            self.assertEqual(os.listdir(folder), ["figures.json"])


_CYCLE = {"per_s": 100, "done": 1000, "accepted": 1000, "cycle_p50_us": 800, "cycle_p99_us": 900,
          "accept_p50_us": 400, "accept_p99_us": 500, "memory_bytes": 40e6, "cost_us": 50,
          "cpu_us_per_event": 40}
_WRITES = {"process_bytes": 9e6, "device_bytes": 5e6, "flushes": 2000, "commits": 2001}
_LOAD = {"per_s": 100, "p50_us": 1, "p99_us": 2, "max_us": 3, "stalls_over_100ms": 0}

# What each measure finds, and what it says of it.
FOUND = {
    "cycles": ({"rounds": {"holdfast": {"16+16": [{**_CYCLE, "per_s": 130}]},
                           "redis": {"16+16": [_CYCLE]}}, "skipped": {}},
               ["met", "not measured"]),
    "programs": ({"persistent": [9000, 9500], "command": [90, 70], "spawner": [100, 100]},
                 ["missed", "not shown"]),
    "backlog": ({"few_waiting": 1000, "few": {"10000": [_CYCLE], "50000": [_CYCLE]},
                 "many": {"10000": [{**_CYCLE, "cost_us": 70}], "50000": [_CYCLE]},
                 "waiting": {}}, ["met", "met", "met"]),
    "restart": ({"rounds": [{"accept_ms": 70, "attempt_ms": 310, "recovery_ms": 40,
                             "waiting": 1000000}]}, ["met", "missed"]),
    "memory": ({"rest_s": 60, "empty": 20e6, "spawner": 12e6, "busy": [60e6, 65e6]},
               ["met", "missed"]),
    "wear": ({"systems": {"holdfast": {**_CYCLE, **_WRITES}}, "cycle_s": 300, "skipped": {}},
             ["missed"]),
    "trickle": ({"systems": {"holdfast": {**_CYCLE, **_WRITES}}, "rate_s": 60,
                 "lingers": {"5ms": {**_CYCLE}}, "skipped": {}}, ["met", "met"]),
    "idle": ({"rises": {"the whole disk": {"device_bytes": 512, "flushes": 1},
                        "holdfast": {"process_bytes": 0, "commits": 1},
                        "redis": {"process_bytes": 0}}, "idle_s": 600, "skipped": {}},
             ["met", "missed"]),
    "stalls": ({"load_s": 600, "bare": [_LOAD] * 2,
                "load": {**_LOAD, "stalls_over_100ms": 1, "memory_bytes": 40e6}},
               ["missed", "met"]),
    "instructions": ({"per_event": {"accept": 1000, "unknown": 5}}, ["met"]),
    "micro": ({"rounds": {"encode": [[5.0, "ns"], [6.0, "ns"]]}}, []),
    "small": ({"status_ms": [2, 3], "holdfastd": 2.9e6, "holdfast": 1e6}, ["met", "met"]),
}


class MeasuresTest(unittest.TestCase):
    def test_each_judges_what_it_found(self):
        for measure in bench.MEASURES:
            if measure.NAME == "accepts":
                continue  # above
            found, verdicts = FOUND[measure.NAME]
            with self.subTest(measure.NAME):
                self.assertEqual([goal.verdict for goal in measure.goals(found)], verdicts)
                for table in measure.tables(found):
                    for row in table.rows:
                        self.assertEqual(len(row), len(table.heads), table.title)

    def test_each_picture_is_drawn_of_what_was_found(self):
        found = {name: one for name, (one, _) in FOUND.items()}
        found["accepts"] = ReportTest().found()
        for name, (measure, picture) in pictures.PICTURES.items():
            with self.subTest(name):
                xml.etree.ElementTree.fromstring(picture(found[measure]))


class PicturesTest(unittest.TestCase):
    def test_a_picture_is_well_formed(self):
        drawn = pictures.curve("a < b & c", "x", "µs", {"one & two": [(1, 5), (256, 50)],
                                                       "nothing": []})
        svg = xml.etree.ElementTree.fromstring(drawn)
        names = [one.tag.rpartition("}")[2] for one in svg.iter()]
        self.assertEqual(names.count("polyline"), 1)
        self.assertIn("a < b & c", [one.text for one in svg.iter()])
        self.assertIn("prefers-color-scheme: dark", drawn)

    def test_one_point_and_no_height_are_drawn(self):
        xml.etree.ElementTree.fromstring(pictures.curve("t", "x", "y", {"a": [(10, 0)]}))

    def test_the_x_axis_is_logarithmic(self):
        frame = pictures.Frame(1, 100, 10)
        middle = (frame.x(1) + frame.x(100)) / 2
        self.assertAlmostEqual(frame.x(10), middle)
        self.assertLess(frame.y(10), frame.y(0))

    def test_ticks_are_round(self):
        self.assertEqual([pictures.step_for(most) for most in (6, 60, 61, 45_000, 0)],
                         [1, 10, 20, 10_000, 1])
        self.assertEqual([pictures.short(value) for value in (16, 1000, 50_000, 10_000_000)],
                         ["16", "1k", "50k", "10M"])


class KernelTest(unittest.TestCase):
    def test_a_disk_is_found_by_its_number(self):
        stats = (" 254 0 vda 1 2 3 4 5 6 70 8 0 9 10 11 12 13 14 44 15\n"
                 " 254 1 vda1 1 2 3 4 5 6 7 8 0 9 10\n")
        self.assertEqual(kernel.disk_in(stats, "254:0"), (70 * 512, 44))
        self.assertEqual(kernel.disk_in(stats, "254:1"), (7 * 512, 0))
        self.assertIsNone(kernel.disk_in(stats, "0:40"))

    def test_a_path_is_on_its_deepest_mount(self):
        mounts = ("22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
                  "23 22 0:40 / /tmp rw - tmpfs none rw\n"
                  "24 22 254:1 / /tmpfiles rw - xfs /dev/vdb rw\n")
        self.assertEqual(kernel.mount_in(mounts, "/tmp/a"), ("0:40", "tmpfs", "none"))
        self.assertEqual(kernel.mount_in(mounts, "/tmpf"), ("254:0", "ext4", "/dev/vda"))
        self.assertEqual(kernel.mount_in(mounts, "/tmpfiles/a"), ("254:1", "xfs", "/dev/vdb"))

    def test_a_process_is_looked_at(self):
        self.assertGreater(kernel.memory_bytes(os.getpid()), 1 << 20)
        self.assertGreaterEqual(kernel.cpu_s(os.getpid()), 0)
        self.assertGreaterEqual(kernel.written_bytes(os.getpid()), 0)


class RunTest(unittest.TestCase):
    def test_verify_is_read(self):
        text = "\nevents\n  accepted                12\n  dead letters             0\n"
        self.assertEqual(systems.found_by_verify(text), {"accepted": 12, "dead letters": 0})

    def test_the_short_run_is_short(self):
        setting = bench.setting_of(bench.options([]))
        self.assertLess(sum(one.seconds(setting) for one in bench.SHORT), 8 * 60)

    def test_a_full_run_has_everything(self):
        asked = bench.options(["--full"])
        self.assertEqual(list(bench.chosen(asked)), list(bench.MEASURES))
        self.assertEqual((bench.setting_of(asked).rounds, bench.setting_of(asked).seconds), (5, 20))
        self.assertIn("wear", bench.plan(bench.MEASURES, bench.setting_of(asked)))

    def test_measures_are_chosen_by_name(self):
        asked = bench.options(["--only", "wear", "--only", "accepts", "--rounds", "1"])
        self.assertEqual([one.NAME for one in bench.chosen(asked)], ["accepts", "wear"])
        self.assertEqual(bench.setting_of(asked).rounds, 1)

    def test_more_settings_join_their_section(self):
        setting = Setting(root="/r", build="/b", directory="/d")
        box = systems.Holdfast(setting, more=[("limits", "a = 1"), ("other", "b = 2")])
        box.folder, box.socket_folder = "/d/f", "/tmp/g"
        text = systems.toml(box.sections())
        self.assertIn("[limits]\nattempts_running_max = 256\nidempotency_bytes_max = \"4GiB\"\na = 1\n", text)
        self.assertTrue(text.endswith("[other]\nb = 2\n"), text)

    def test_every_system_is_started_from_an_empty_folder(self):
        setting = Setting(root="/r", build="/b", directory="/d")
        for system in (*accepts.SYSTEMS, systems.Redis):
            self.assertIsNone(system(setting).folder)


if __name__ == "__main__":
    unittest.main(verbosity=2)
