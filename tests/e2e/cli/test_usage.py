"""The command line itself: help, version, what is refused, man page and completions."""

import json
import re
import shutil
import subprocess
import unittest

import client
from client import COMPLETIONS, MODEL, OUTPUT, SOURCE, USAGE, WAV, steno

COMMANDS = ["transcribe", "listen", "watch", "devices", "model info", "wer", "token"]


def options_of(command):
    """The long options in `steno COMMAND --help`, and the short ones."""
    text = steno(*command.split(), "--help").stdout
    return re.findall(r"^  (?:   |-\w,) (--[a-z-]+)", text, re.M), re.findall(
        r"^  (-\w),", text, re.M
    )


class Usage(client.ClientTest):
    def test_version(self):
        meson = (SOURCE / "meson.build").read_text()
        version = re.search(r"version: '([0-9.]+)'", meson).group(1)
        for arguments in (["--version"], ["-V"], ["transcribe", "--version"]):
            self.assertEqual(self.succeed(*arguments), f"steno {version}\n")

    def test_help(self):
        overview = self.succeed("--help")
        self.assertEqual(self.succeed("help"), overview)
        self.assertEqual(self.succeed("-h"), overview)
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", overview)
            text = self.succeed(*command.split(), "--help")
            self.assertEqual(self.succeed("help", *command.split()), text)
            self.assertIn(f"Usage: steno {command} ", text)
            for line in overview.splitlines() + text.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_help_lists_all_that_was_promised(self):
        longs, shorts = options_of("transcribe")
        promised = """raw rate channels encoding per-channel format output-dir output interim model
            precision operators threads chunk search beam lm-weight attention-weight token-bonus endpoint max-utterance no-endpointing
            alternatives jobs quiet progress help version phrase phrases
            server ca cert key server-name token-file connect-timeout"""
        self.assertEqual(sorted(longs), sorted("--" + name for name in promised.split()))
        self.assertEqual(sorted(shorts), sorted("-f -o -d -i -m -j -q -h -V".split()))

    def test_help_of_listening(self):
        longs, shorts = options_of("listen")
        promised = """device rate channels format output save-audio interim alternatives model
            precision operators threads chunk search beam lm-weight attention-weight token-bonus
            endpoint max-utterance no-endpointing quiet help version phrase phrases
            server ca cert key server-name token-file connect-timeout"""
        self.assertEqual(sorted(longs), sorted("--" + name for name in promised.split()))
        self.assertEqual(sorted(shorts), sorted("-D -f -o -a -i -m -q -h -V".split()))

    def test_help_of_watching(self):
        longs, shorts = options_of("watch")
        promised = """recent format output interim json quiet help version
            server ca cert key server-name token-file connect-timeout"""
        self.assertEqual(sorted(longs), sorted("--" + name for name in promised.split()))
        self.assertEqual(sorted(shorts), sorted("-f -o -i -q -h -V".split()))

    def test_refused(self):
        for reason, arguments in (
            ("no command given", []),
            ("unknown command 'foo'", ["foo"]),
            ("unknown command 'model foo'", ["model", "foo"]),
            ("unknown command 'model'; there is \"model info\"", ["model"]),
            ("unknown command 'model'; there is \"model info\"", ["help", "model"]),
            ("unknown option '--foo'", ["--foo"]),
            ("unknown option '--foo'", ["transcribe", "--foo", WAV]),
            ("unknown option '-x'", ["transcribe", "-x", WAV]),
            ("no file given", ["transcribe"]),
            ("listen takes no argument", ["listen", WAV]),
            ("devices takes no argument", ["devices", "1"]),
            ("--interim shows text", ["listen", "--interim", "--format", "srt"]),
            ("one of these endings", ["listen", "--save-audio", "talk.mp3"]),
            ("name the same file", ["listen", "--save-audio", "a.wav", "-o", "a.wav"]),
            ("unknown option '--raw'", ["listen", "--raw"]),
            ("watch takes one name", ["watch", "hall", "room"]),
            ("a capture is on one server", ["watch", "hall", "--server", "a:1", "--server", "b:1"]),
            ("--json is for the list", ["watch", "hall", "--json"]),
            ("name the capture to watch", ["watch", "-f", "srt"]),
            ("--interim shows text", ["watch", "hall", "--interim", "--format", "srt"]),
            ("unknown option '--device'", ["transcribe", "--device", "1", WAV]),
            ("'12x' is not a whole number from 8000 to 192000", ["transcribe", "--rate", "12x"]),
            ("'0' is not a whole number from 1 to 256", ["transcribe", "-j0", WAV]),
            ("not one of 160, 320, 640, 1280", ["transcribe", "--chunk", "161", WAV]),
            ("--format needs a value", ["transcribe", WAV, "--format"]),
            ("exclude each other", ["transcribe", "-o", "x", "-d", "y", WAV]),
            ("no manifest given", ["wer"]),
            ("more than one manifest", ["wer", "a", "b"]),
            ("more than one model", ["model", "info", "a", "b"]),
            ("unknown command 'foo'", ["help", "foo"]),
            ("help explains one command", ["help", "wer", "foo"]),
        ):
            with self.subTest(arguments=arguments):
                result = self.fail_with(USAGE, reason, *arguments)
                self.assertRegex(result.stderr, r'\nTry "steno (\w+ )*--help"\.\n$')
                self.assertEqual(result.stdout, "")

    def test_weights_are_checked_first(self):
        for reason, arguments in (
            ("this model has no language model", ["--lm-weight", "0.5"]),
            ("attention_weight: 1, should be 0", ["--search", "ctc", "--attention-weight", "1"]),
        ):
            result = self.fail_with(USAGE, reason, "transcribe", WAV, *arguments)
            self.assertEqual(result.stdout, "")
        self.succeed("transcribe", WAV, "--lm-weight", "0", "--token-bonus", "-1")

    def test_full_and_closed_output(self):
        for arguments in (["--version"], ["help", "wer"], ["transcribe", WAV], ["model", "info"]):
            with open("/dev/full", "wb") as full:
                result = subprocess.run(
                    [client.STENO, *map(str, arguments)],
                    stdout=full,
                    stderr=subprocess.PIPE,
                    env=client.environment(),
                )
            self.assertEqual(
                (result.returncode, result.stderr),
                (OUTPUT, b"steno: standard output: No space left on device\n"),
            )
            result = subprocess.run(
                ["sh", "-c", '"$@" >&-', "sh", client.STENO, *map(str, arguments)],
                stderr=subprocess.PIPE,
                env=client.environment(),
            )
            self.assertEqual(
                (result.returncode, result.stderr),
                (OUTPUT, b"steno: standard output: Bad file descriptor\n"),
            )


    def test_closed_input(self):
        """Standard input that is not there is no live source to wait for."""
        result = subprocess.run(
            ["sh", "-c", '"$@" <&-', "sh", client.STENO, "transcribe", "-"],
            capture_output=True,
            env=client.environment(),
            timeout=client.PATIENCE,
        )
        self.assertEqual(result.returncode, client.INPUT, result.stderr)
        self.assertIn(b"standard input: can't read: Bad file descriptor", result.stderr)

    def test_names_that_are_orders(self):
        """A terminal is shown the name, not made to do what it says."""
        result = self.fail_with(client.INPUT, "?[2Ja?b", "transcribe", "\033[2Ja\nb")
        self.assertNotIn("\033", result.stderr)


class Models(client.ClientTest):
    def test_missing_and_damaged(self):
        absent = self.folder / "absent"
        self.fail_with(MODEL, str(absent), "transcribe", "--model", absent, WAV)
        self.fail_with(MODEL, str(absent), "model", "info", absent)
        self.fail_with(MODEL, str(absent), "transcribe", WAV, model=absent)
        self.fail_with(MODEL, str(self.folder), "transcribe", "-m", self.folder, WAV)
        damaged = self.folder / "damaged"
        for text in (b"", b"no model", client.TINY_MODEL.read_bytes()[:-1]):
            damaged.write_bytes(text)
            result = self.fail_with(MODEL, str(damaged), "transcribe", "-m", damaged, WAV)
            self.assertEqual(result.stdout, "")

    def test_info(self):

        text = self.succeed("model", "info")
        self.assertIn(f"file            {client.TINY_MODEL}\n", text)
        self.assertIn("licence         CC0-1.0\n", text)
        self.assertIn("word error rate not stated\n", text)
        info = json.loads(self.succeed("model", "info", "--json", client.TINY_MODEL))
        self.assertEqual(info["name"], "tiny")
        self.assertEqual(info["file_bytes"], len(client.TINY_MODEL.read_bytes()))
        self.assertEqual((info["tokens"], info["encoding_ms"]), (11, 80))
        self.assertEqual(info["training_data"], "none: random numbers")
        self.assertIn("language model  none\n", text)
        self.assertEqual(info["lm_ngrams"], 0)
        arguments = ["model", "info", "--json", "--precision", "f32", "--operators", "reference"]
        info = json.loads(self.succeed(*arguments))
        self.assertEqual((info["precision"], info["operators"]), ("f32", "reference"))


class Documents(client.ClientTest):
    """Man page and completions know every option and choice of --help."""

    def manual(self):
        text = (SOURCE / "clients" / "steno" / "steno.1").read_text()
        return text.replace("\\-", "-").replace("\\fI", "").replace("\\fR", "")

    def test_manual_has_every_option(self):
        manual = self.manual()
        for command in COMMANDS:
            self.assertIn(f"steno {command}", manual)
            longs, shorts = options_of(command)
            self.assertGreaterEqual(len(longs), 3)
            for option in longs + shorts:
                self.assertRegex(manual, rf'(?m)^\.B[RI]? .*{option}[ "\n]', option)
        for choices in re.findall(r" ([a-z0-9]+(?:\|[a-z0-9]+)+)\n", steno("help", "wer").stdout):
            self.assertIn(choices, manual)

    def test_manual_is_clean(self):
        if shutil.which("man") is None or shutil.which("groff") is None:
            self.skipTest("man and groff are not installed")
        path = SOURCE / "clients" / "steno" / "steno.1"
        result = subprocess.run(
            ["man", "--warnings", "-l", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_completions_have_every_option(self):
        forms = {"steno": "--{}", "_steno": "--{}", "steno.fish": "-l {} "}
        for name, form in forms.items():
            script = (COMPLETIONS / name).read_text()
            for command in COMMANDS:
                for option in options_of(command)[0]:
                    self.assertIn(form.format(option[2:]), script)
            for word in ("transcribe", "listen", "watch", "devices", "model", "info", "wer", "help", "mulaw", "onednn"):
                self.assertIn(word, script)

    def check_syntax(self, shell, name):
        if shutil.which(shell) is None:
            self.skipTest(f"{shell} is not installed")
        result = subprocess.run([shell, "-n", COMPLETIONS / name], capture_output=True)
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_bash_syntax(self):
        self.check_syntax("bash", "steno")

    def test_zsh_syntax(self):
        self.check_syntax("zsh", "_steno")

    def test_fish_syntax(self):
        self.check_syntax("fish", "steno.fish")

    def complete(self, *words):
        """What bash offers for the last of these words."""
        script = f"""
            source {COMPLETIONS / 'steno'}
            compopt() {{ :; }}
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _steno
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        return (
            subprocess.run(
                ["bash", "-c", script, "bash", *words],
                capture_output=True,
                check=True,
                cwd=self.folder,
            )
            .stdout.decode()
            .split()
        )

    def test_bash_completes(self):
        if shutil.which("bash") is None:
            self.skipTest("bash is not installed")
        (self.folder / "talk.wav").touch()
        (self.folder / "place").mkdir()
        self.assertEqual(self.complete("steno", "tr"), ["transcribe"])
        self.assertEqual(self.complete("steno", "model", ""), ["info"])
        self.assertEqual(self.complete("steno", "transcribe", "--max"), ["--max-utterance"])
        self.assertEqual(self.complete("steno", "wer", "--det"), ["--details"])
        self.assertEqual(self.complete("steno", "transcribe", "--det"), [])
        self.assertEqual(self.complete("steno", "transcribe", "--format", "t"), ["text", "tsv"])
        self.assertEqual(self.complete("steno", "transcribe", "-f", "s"), ["srt"])
        self.assertEqual(self.complete("steno", "transcribe", "t"), ["talk.wav"])
        self.assertEqual(self.complete("steno", "listen", "t"), [])
        self.assertEqual(self.complete("steno", "watch", "t"), [])
        self.assertEqual(self.complete("steno", "watch", "--rec"), ["--recent"])
        self.assertEqual(self.complete("steno", "listen", "--save-audio", "t"), ["talk.wav"])
        self.assertEqual(self.complete("steno", "listen", "--dev"), ["--device"])
        self.assertEqual(self.complete("steno", "transcribe", "--output-dir", ""), ["place"])
        self.assertEqual(self.complete("steno", "help", "w"), ["watch", "wer"])

    def test_fish_completes(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed")
        for line, offer in (
            ("steno tr", "transcribe"),
            ("steno model ", "info"),
            ("steno wer --det", "--details"),
            ("steno transcribe --format t", "text"),
        ):
            script = f"source {COMPLETIONS / 'steno.fish'}; complete -C '{line}'"
            result = subprocess.run(["fish", "-N", "-c", script], capture_output=True, check=True)
            offers = [text.split("\t")[0] for text in result.stdout.decode().splitlines()]
            self.assertIn(offer, offers)
            self.assertNotIn("help", offers)


if __name__ == "__main__":
    unittest.main()
