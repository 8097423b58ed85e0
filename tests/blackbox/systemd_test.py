"""What systemd gets to see: the lines that the journal takes."""

import harness


class JournalTest(harness.BoxTest):
    def setUp(self):
        super().setUp()
        self.box.variables["JOURNAL_STREAM"] = "1:2"

    def every_line_has_a_priority(self):
        lines = self.box.log().splitlines()
        for line in lines:
            self.assertRegex(line, r"^<[2-7]>\S")
        return lines

    def test_each_line_of_a_record_of_many_lines_has_its_priority(self):
        box = self.box
        box.function("echo", "cat")
        box.start()
        box.reload("[functions.echo]\ncommand = []\n[limit]\n")
        lines = self.every_line_has_a_priority()
        for place in (":2:", ":3:"):
            (line,) = [line for line in lines if box.config_path + place in line]
            self.assertTrue(line.startswith("<3>"), line)

    def test_a_wrong_configuration_at_the_start_has_its_priority_too(self):
        box = self.box
        box.write_config("[functions.echo]\ncommand = []\n[limit]\n")
        self.assertEqual(box.launch().wait(harness.DEADLINE_S), 3)
        lines = self.every_line_has_a_priority()
        self.assertEqual([line[:3] for line in lines], ["<2>", "<2>"])


if __name__ == "__main__":
    harness.main()
