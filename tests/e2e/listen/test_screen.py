"""The screen of `steno listen`, on a pseudo-terminal that a terminal emulator reads (pyte), and in
tmux, which breaks lines anew when it is made narrower.

What must hold: at the end the screen, with what has scrolled off it, shows the final text, all of it
and once; while someone speaks there is one line about the microphone, never two.
"""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pyte
import sound
from sound import PATIENCE, STENO, recording, until

STATUS = re.compile(r"[-*|.!] (listening|speech|endpoint|opening|finishing|no device)")


class Terminal:
    """steno listen on a terminal; standard error goes to a file."""

    def __init__(self, test, columns, rows, *arguments, **variables):
        self.test = test
        self.screen = pyte.HistoryScreen(columns, rows, history=10000)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.status = None
        errors = os.open(test.folder / "stderr", os.O_WRONLY | os.O_CREAT, 0o600)
        environment = dict(test.sound.environment, **{"TERM": "xterm", **variables})
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.dup2(errors, 2)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(STENO, [STENO, "listen", *map(str, arguments)], environment)
        os.close(errors)
        test.addCleanup(self.close)

    def close(self):
        if self.status is None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        os.close(self.master)

    def look(self, seconds=0.1):
        """Takes what was written for so long; False at the end.  Checks the screen each time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.raw += data
            self.stream.feed(data)
            # A status line is written whole, in one write with all that changes; a read may still
            # end within it.
            shown = sum(bool(STATUS.match(line)) for line in self.lines())
            self.test.assertLessEqual(shown, 1, "\n".join(self.screen.display))
        return True

    def lines(self):
        """All lines, with those that have scrolled off."""
        above = ["".join(line[x].data for x in range(self.screen.columns))
                 for line in self.screen.history.top]
        return [line.rstrip() for line in above + self.screen.display]

    def text(self):
        return "\n".join(self.lines()).strip()

    def type(self, keys):
        os.write(self.master, keys)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end or not self.look():
                self.test.fail(f"{what}: not so; the screen:\n{self.text()}")

    def play(self, samples):
        player = self.test.sound.play_on(samples)
        while player.poll() is None:
            self.look()

    def wait(self):
        while self.look():
            pass
        self.status = os.waitpid(self.process, 0)[1]
        return os.waitstatus_to_exitcode(self.status)

    def finish(self):
        """Ctrl-C, and what is left."""
        self.type(b"\x03")
        return self.wait()


def letters(text):
    return "".join(text.split())


class Screen(sound.SoundTest):
    def terminal(self, columns=80, rows=24, *arguments, **variables):
        terminal = Terminal(self, columns, rows, *arguments, **variables)
        terminal.until(lambda: STATUS.search(terminal.text()), "a status line")
        self.sound.await_listener()
        return terminal

    def errors(self):
        return sound.but_busy((self.folder / "stderr").read_text())

    def transcript(self):
        return (self.folder / "text.txt").read_text()

    def check_transcript(self, columns, rows, change=None):
        """Someone speaks; at the end the screen has what the file has."""
        terminal = self.terminal(columns, rows, "-o", self.folder / "text.txt", "--endpoint", 400)
        terminal.play(recording("777-126732-0053.flac"))
        self.assertNotEqual(letters(STATUS.sub("", terminal.text())), "")
        if change is not None:
            change(terminal)
        terminal.play(recording("5694-64025-0001.flac"))
        self.assertEqual(terminal.finish(), 0, self.errors())
        self.assertEqual(letters(terminal.text()), letters(self.transcript()))
        self.assertGreater(len(self.transcript().split()), 8)
        self.assertNotIn("^C", terminal.text())
        return terminal

    def test_a_usual_terminal(self):
        terminal = self.check_transcript(80, 24)
        self.assertIn(b"\033[2m", terminal.raw) # unsettled words are dim
        # Words aren't cut: line by line they are those of the transcript.
        self.assertEqual(terminal.text().split(), self.transcript().split())

    def test_a_narrow_and_low_terminal(self):
        self.check_transcript(20, 6)

    def test_made_wider(self):
        self.check_transcript(30, 10, lambda terminal: terminal.resize(70, 10))

    def test_text_is_there_before_it_is_final(self):
        terminal = self.terminal(80, 24, "-o", self.folder / "text.txt", "--no-endpointing")
        player = self.sound.play_on(recording("demo.flac"))
        terminal.until(lambda: len(letters(STATUS.split(terminal.text())[0])) > 10, "words")
        self.assertEqual(self.transcript(), "")
        self.assertEqual(STATUS.search(terminal.text()).group(), "* speech")
        player.kill()
        player.wait()
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(letters(terminal.text()), letters(self.transcript()))

    def test_a_wide_name(self):
        terminal = self.terminal(60, 10, "--device", "マイク")
        terminal.until(lambda: "マイク" in letters(terminal.text()), "the name")
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.text(), "")

    def test_typing_disturbs_nothing(self):
        terminal = self.terminal(60, 10)
        self.assertFalse(terminal.echoes())
        terminal.type(b"abc\r\rdef\r")
        terminal.look(1)
        self.assertNotIn("abc", terminal.text())
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.text(), "")
        self.assertTrue(terminal.echoes())

    def test_ctrl_z(self):
        terminal = self.terminal(60, 10)
        terminal.type(b"\x1a")

        def stopped():
            terminal.look(0.1)
            return os.waitpid(terminal.process, os.WUNTRACED | os.WNOHANG)[0] != 0

        until(stopped, "stopped")
        terminal.until(lambda: terminal.text() == "", "the line is gone")
        self.assertTrue(terminal.echoes())
        os.kill(terminal.process, signal.SIGCONT)
        terminal.until(lambda: STATUS.search(terminal.text()), "a status line again")
        self.assertFalse(terminal.echoes())
        self.assertEqual(terminal.finish(), 0)

    def test_messages_stand_above(self):
        terminal = self.terminal(60, 10)
        player = self.sound.play_on(recording("777-126732-0053.flac"))
        terminal.until(lambda: "* speech" in terminal.text(), "someone speaks")
        self.sound.unplug()
        player.wait()
        terminal.until(lambda: "waiting for it" in self.errors(), "it is gone")
        terminal.until(lambda: "! no device" in terminal.text(), "the line says so")
        terminal.look(1)
        self.assertIn("! no device", terminal.text()) # whatever the last words' results were
        self.assertNotIn("endpoint", terminal.text())
        self.sound.plug()
        terminal.until(lambda: "- listening" in terminal.text(), "it is back")
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(len(self.errors().splitlines()), 2, self.errors())

    def test_no_color(self):
        terminal = self.terminal(60, 10, NO_COLOR="1")
        terminal.play(recording("777-126732-0053.flac"))
        self.assertEqual(terminal.finish(), 0)
        self.assertNotRegex(terminal.raw, rb"\033\[[0-9;]*(3|4|9|10)[0-7]")
        self.assertIn(b"* speech", terminal.raw)

    def test_quiet(self):
        terminal = Terminal(self, 60, 10, "--quiet")
        self.sound.await_listener()
        terminal.play(recording("777-126732-0053.flac"))
        self.assertEqual(terminal.finish(), 0)
        self.assertIsNone(STATUS.search(terminal.text()))
        self.assertNotEqual(terminal.text(), "")

    def test_a_dumb_terminal(self):
        terminal = Terminal(self, 80, 24, "-o", self.folder / "text.txt", TERM="dumb")
        self.sound.await_listener()
        terminal.play(recording("777-126732-0053.flac"))
        terminal.type(b"\x03")
        self.assertEqual(terminal.wait(), 0)
        self.assertNotIn(b"\033", terminal.raw)
        self.assertNotEqual(self.transcript(), "")

    def test_made_narrower_in_tmux(self):
        """tmux breaks the lines that stand on the screen anew.  Below a screenful of other lines, as
        usual: in an empty window tmux moves the very line of the cursor out of the screen."""
        if shutil.which("tmux") is None:
            self.skipTest("tmux is not installed")
        tmux = ["tmux", "-S", str(self.folder / "tmux"), "-f", "/dev/null"]

        def call(*arguments):
            return subprocess.run([*tmux, *map(str, arguments)], env=self.sound.environment,
                                  capture_output=True, check=True).stdout.decode()

        def text():
            return call("capture-pane", "-p", "-J", "-S", "-")

        out = self.folder / "text.txt"
        self.addCleanup(subprocess.run, [*tmux, "kill-server"], capture_output=True)
        call("-u", "new-session", "-d", "-x", 76, "-y", 12,
             f"seq 1001 1030; {STENO} listen -o {out} --endpoint 400 2>{self.folder}/stderr; "
             "echo :end:; sleep 1000")
        until(lambda: STATUS.search(text()), "a status line")
        self.sound.await_listener()
        player = self.sound.play_on(recording("demo.flac"))
        for columns in (76, 50, 30, 22, 64):
            call("resize-window", "-x", columns, "-y", 12)
            time.sleep(2)
            until(lambda: len(STATUS.findall(text())) == 1, "one status line")
            time.sleep(0.5)
            self.assertEqual(len(STATUS.findall(text())), 1, text())
        player.wait()
        call("send-keys", "C-c")
        until(lambda: ":end:" in text(), "the end")
        shown = letters(text())
        self.assertEqual(shown[shown.index("1030") + 4 :], letters(out.read_text()) + ":end:")


if __name__ == "__main__":
    sound.main()
