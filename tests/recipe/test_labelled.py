"""Recordings without transcripts: read from a clone, labelled by a teacher, chosen, compared."""

import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import numpy as np
    import soundfile
    from clips import Neighbours, read_table, speaker_of
    from compare import band, difference, read_labels
    from index import read_index
    from labelled import Sentences, doubt, repeats
    from sound import RATE_HZ
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SCRIPTS = os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe")

# In place of the runtime: a network that hears a recording's length in tenths of a second.  Its
# encoder gives for each row how many samples are not zero; its decoder says that in two tokens
# (tens and ones, 10 and more, each with a probability of 0.9) and ends; a row louder than 0.5 never ends.
RUNTIME = """
class Tensor {
  constructor(type, data, dims) {
    const size = dims.reduce((a, b) => a * b, 1);
    if (data.length !== size) throw new Error(`${data.length} values for [${dims}]`);
    Object.assign(this, { type, data, dims });
  }
}
function encode({ input_values: { data, dims: [count, width] } }) {
  const heard = Float32Array.from({ length: 2 * count }, (_, n) => {
    const row = data.subarray((n >> 1) * width, ((n >> 1) + 1) * width);
    return n % 2 ? Math.max(...row) : Math.round(row.filter((sample) => sample !== 0).length / 1600);
  });
  return { last_hidden_state: new Tensor("float32", heard, [count, 1, 2]) };
}
function decode(feeds) {
  const hidden = feeds.encoder_hidden_states.data;
  const count = feeds.input_ids.dims[0];
  const kept = feeds["past_key_values.0.decoder.key"];
  const step = kept.data.length ? kept.data[0] : 0;
  if (feeds.use_cache_branch.data[0] !== (step > 0)) throw new Error("cache and its switch differ");
  const encoders = feeds["past_key_values.5.encoder.value"];
  if (step && encoders.data[0] !== 7) throw new Error("the encoder's cache is lost");
  const logits = new Float32Array(count * 40);
  for (let row = 0; row < count; row++) {
    const [tenths, loudest] = hidden.subarray(2 * row, 2 * row + 2);
    const said = [10 + Math.floor(tenths / 10), 10 + (tenths % 10)];
    const last = feeds.input_ids.data[row];
    if (last !== (step === 0 ? 1n : loudest > 0.5 ? 39n : step > 2 ? 2n : BigInt(said[step - 1]))) {
      throw new Error(`step ${step}, row ${row}: told that ${last} came before`);
    }
    logits[row * 40 + (loudest > 0.5 ? 39 : step < 2 ? said[step] : 2)] = Math.log(0.9 / 0.1 * 39);
  }
  const out = { logits: new Tensor("float32", logits, [count, 1, 40]) };
  for (let layer = 0; layer < 6; layer++) {
    for (const kind of ["key", "value"]) {
      out[`present.${layer}.decoder.${kind}`] = new Tensor("float32", [step + 1], [1]);
      // As the real one, it gives the encoder's part only at the first step.
      out[`present.${layer}.encoder.${kind}`] = new Tensor("float32", [step ? 0 : 7], [1]);
    }
  }
  return out;
}
async function create(path) {
  const network = path.endsWith("encoder_model.onnx") ? encode : decode;
  return { run: async (feeds) => network(feeds) };
}
module.exports = { Tensor, InferenceSession: { create } };
"""
TOKENIZER = """
export default {
  decode: (tokens) => tokens.slice(1).map((t) => (t < 20 ? `${t - 10}` : "\\tround ")).join(""),
};
"""


def packages(folder):
    """A folder as npm leaves it, with the stand-ins."""
    for name, kind, main, content in (
        ("onnxruntime-node", "commonjs", "index.js", RUNTIME),
        ("llama-tokenizer-js", "module", "index.js", TOKENIZER),
    ):
        place = os.path.join(folder, "node_modules", name)
        os.makedirs(place)
        with open(os.path.join(place, "package.json"), "w") as f:
            f.write(f'{{"name": "{name}", "type": "{kind}", "main": "{main}"}}')
        with open(os.path.join(place, main), "w") as f:
            f.write(content)


def pack(folder, split, rows):
    """rows: (id, samples, source, speaker, text)."""
    first = 0
    with open(os.path.join(folder, split + ".pcm"), "wb") as pcm, open(
        os.path.join(folder, split + ".tsv"), "w"
    ) as index:
        for name, samples, *rest in rows:
            pcm.write(np.asarray(samples, "<i2").tobytes())
            index.write("\t".join(map(str, [name, first, len(samples), *rest])) + "\n")
            first += len(samples)


def script(name, *arguments, fails=False):
    command = [sys.executable, os.path.join(SCRIPTS, name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{name} ended with {done.returncode}: {done.stderr}")
    return done.stderr if fails else done.stdout


def lines(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f]


class Labels(unittest.TestCase):
    def test_repeats(self):
        for text in (
            "the league the league was",
            "it goes on and on and on",
            "no no no",
            "he was in the city of york and in the city of leeds",
        ):
            self.assertTrue(repeats(text.split()), text)
        for text in ("", "that that is is", "had had enough", "round and round he went", "one two three one"):
            self.assertFalse(repeats(text.split()), text)

    def test_sentences(self):
        tests = Sentences(["the old comedy was awkward and poor", "yes", "go on then"])
        self.assertTrue(tests.like("the old comedy was awkward and poor".split()))
        self.assertTrue(tests.like("the cold comedy was awkward in poor".split()))
        self.assertTrue(tests.like("comedy was awkward and poor".split()))
        self.assertTrue(tests.like(["yes"]))
        self.assertTrue(tests.like("go on than".split()))
        self.assertFalse(tests.like("the comedy and the tragedy are old".split()))
        self.assertFalse(tests.like("yes please".split()))
        self.assertFalse(tests.like([]))
        self.assertFalse(Sentences([]).like(["yes"]))

    def test_doubt(self):
        tests = Sentences(["this is said in dev"])

        def why(label, mean=-0.1, ended=True, seconds=2.0, text=None):
            return doubt(label, mean, ended, seconds, text or label.lower(), tests, -0.35)

        self.assertIsNone(why("A sentence like any other"))
        self.assertIsNone(why("A \u201csentence\u201d like any other \u2013 it\u2019s said"))
        self.assertEqual(why("A sentence like any other", mean=-0.36), "improbable")
        self.assertEqual(why("A sentence like any other", ended=False), "endless")
        self.assertEqual(doubt("...", -0.1, True, 1.0, None, tests, -1), "letters")
        self.assertEqual(why("Ein S\u00e4tzchen wie jedes"), "letters")
        self.assertEqual(why("A sentence like any other", seconds=6.5), "length")
        self.assertEqual(why("A sentence like any other", seconds=1.0), "length")
        self.assertEqual(why("A sentence a sentence like it"), "repeats")
        self.assertEqual(why("This is said in death"), "dev")

    def test_difference(self):
        self.assertEqual(difference("one two three four", "one two three four"), 0)
        self.assertEqual(difference("one two three four", "one too three for"), 0.5)
        self.assertEqual(difference("one", "he won it all"), 1)
        self.assertEqual(difference("one two", ""), 1)
        bands = ["from -0.1", "from -0.1", "from -0.2", "below -0.7"]
        self.assertEqual([band(mean) for mean in (0, -0.1, -0.15, -2)], bands)


class Speakers(unittest.TestCase):
    def test_table(self):
        client = "0123456789abcdef0123"
        table = "client_id\tpath\tsentence\n"
        table += f'{client}\tcommon_voice_en_17.mp3\tHe said "no.\n{client}\tx.mp3\tYes.\n'
        self.assertEqual(read_table(table), {17: "CV0123456789abcdef"})
        self.assertEqual(speaker_of(client), "CV0123456789abcdef")

    def test_neighbours(self):
        known = {100: "a", 200: "test", 290: "b", 5000: "test", 9000: "c"}
        near = Neighbours(known, {"test", "other"}, 50)
        for number in (151, 180, 199, 210, 246, 4000, 6999):
            self.assertTrue(near.suspect(number), number)
        for number in (1, 140, 260, 290, 2000, 7001, 9500):
            self.assertFalse(near.suspect(number), number)
        self.assertFalse(Neighbours(known, {"other"}, 50).suspect(200))
        self.assertFalse(Neighbours({}, {"test"}, 50).suspect(200))


class Folders(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.data)

    def test_clips(self):
        """Clips of a clone: those without transcript, and not of dev's speaker, go into a folder."""
        work, clones = os.path.join(self.folder, "work"), os.path.join(self.folder, "clones")
        os.makedirs(os.path.join(work, "clips"))
        os.makedirs(clones)
        time = np.arange(RATE_HZ) / RATE_HZ
        for number in (1000, 1001, 2000, 2003, 3000, 4000):
            tone = 0.3 * np.sin(2 * np.pi * 300 * time[: 4000 if number == 3000 else None])
            path = os.path.join(work, "clips", f"common_voice_en_{number}.mp3")
            soundfile.write(path, tone, RATE_HZ, format="WAV")
        with open(os.path.join(work, "clips", "common_voice_en_5000.mp3"), "w") as f:
            f.write("no sound")
        with open(os.path.join(work, "heard.tsv"), "w") as f:
            f.write("client_id\tpath\tsentence\n")
            for speaker, number in (("a", 1000), ("d", 2000), ("a", 3100)):
                f.write(f"{speaker * 64}\tcommon_voice_en_{number}.mp3\tSomething.\n")
        git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", work]
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "m"]):
            subprocess.run(git + command, check=True)
        subprocess.run(["git", "clone", "-q", "--bare", work, os.path.join(clones, "a+b")], check=True)
        manifest = os.path.join(self.folder, "manifest.tsv")
        with open(manifest, "w") as f:
            f.write("id\ncommonvoice-common_voice_en_4000\n")
        pack(self.data, "dev", [("d", [1], "commonvoice", "CV" + 16 * "d", "two")])
        out = os.path.join(self.folder, "clips")
        place = ["--clones", clones, "--repository", "a/b", "--folder", "clips/", "--data", self.data]
        place += ["--out", out]
        said = script("clips.py", *place, "--tables", "heard.tsv", "--manifests", manifest, "--jobs", "1")
        self.assertIn("7 clips, 3 without transcript, 1 more maybe by dev's", said)
        index = lines(out, "clips.tsv")
        self.assertEqual([row[0] for row in index], ["commonvoice-common_voice_en_1001"])
        self.assertEqual(os.path.getsize(os.path.join(out, "clips.pcm")), 2 * int(index[0][2]))
        self.assertIn("gone.tsv", script("clips.py", *place, "--tables", "gone.tsv", fails=True))

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_teacher(self):
        """Recordings in batches, each with its own label; an interrupted run goes on."""
        packages(self.folder)
        random = np.random.default_rng(1)
        tenths = random.permutation(np.arange(11, 36))
        rows = [(f"r{t}", random.integers(1, 9000, 1600 * t), "made", "", "") for t in tenths]
        rows.append(("loud", np.full(16000, 30000), "made", "", ""))
        rows.append(("other", np.full(16000, 10), "else", "", ""))
        pack(self.data, "train", rows)
        labels = os.path.join(self.folder, "labels.tsv")
        command = ["node", os.path.join(SCRIPTS, "teacher.mjs"), "--packages", self.folder, "--model", "m"]
        command += ["--folder", self.data, "--out", labels, "--batch", "4", "--source", "made"]
        subprocess.run(command, check=True, capture_output=True)
        got = {row[0]: row[1:] for row in lines(labels)}
        self.assertEqual(len(got), 26)
        for t in tenths:
            self.assertEqual(got[f"r{t}"][2:], ["1", f"{t // 10}{t % 10}"])
            self.assertAlmostEqual(float(got[f"r{t}"][0]), math.log(0.9), delta=1e-3)
            self.assertAlmostEqual(float(got[f"r{t}"][1]), math.log(0.9), delta=1e-3)
        self.assertEqual(got["loud"][2], "0")
        self.assertEqual(set(got["loud"][3].split()), {"round"})

        with open(labels) as f:
            kept = f.readlines()[:7]
        with open(labels, "w") as f:
            f.writelines(kept)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        self.assertIn("19 recordings", done.stdout)
        self.assertEqual({row[0]: row[1:] for row in lines(labels)}, got)

        for change, message in (
            (["--folder", self.folder], "train.tsv is not there"),
            (["--batch", "0"], "--batch"),
            (["--packages", "/nowhere"], "onnxruntime-node"),
        ):
            done = subprocess.run(command + change + ["--out", labels + "2"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)

    def test_labelled(self):
        """What is beyond doubt goes into the index, once; the rest is written down with the reason."""
        clips = os.path.join(self.folder, "clips")
        os.makedirs(clips)
        length = 3 * RATE_HZ // 2
        pack(clips, "clips", [(f"c{n}", [n + 1] * (length + n), "commonvoice", "", "") for n in range(6)])
        pack(self.data, "dev", [("d", [1], "s", "x", "nobody shall train on this")])
        pack(self.data, "train", [("t", [1, 2, 3], "s", "y", "old")])
        labels = os.path.join(self.folder, "labels.tsv")
        said = ["It\u2019s 7 of them.", "Nobody shall train on it.", "No, no, no!", "Heard clearly."]
        with open(labels, "w", encoding="utf-8") as f:
            f.writelines(f"c{n}\t-0.2\t-1\t1\t{label}\n" for n, label in enumerate(said))
            f.write("unknown\t-0.1\t-1\t1\tNot among the clips\n")
        options = ["--clips", clips, "--labels", labels, "--data", self.data, "--source", "heard"]
        self.assertIn("2 recordings added", script("labelled.py", *options))
        with open(labels, "a") as f:
            f.write("c4\t-0.9\t-1\t1\tUnsure words\nc5\t-0.1\t-1\t1\tThe last one\n")
        self.assertIn("1 recordings added", script("labelled.py", *options))
        self.assertIn("0 recordings added", script("labelled.py", *options))
        rows = read_index(self.data, "train")
        self.assertEqual(
            [(r[0], r[3], r[4], r[5]) for r in rows],
            [
                ("t", "s", "y", "old"),
                ("c0", "heard", "", "it's seven of them"),
                ("c3", "heard", "", "heard clearly"),
                ("c5", "heard", "", "the last one"),
            ],
        )
        left_out = {row[0]: row[1] for row in lines(self.data, "left_out.tsv")}
        self.assertEqual(left_out, {"c1": "dev", "c2": "repeats", "c4": "improbable"})
        pcm = np.fromfile(os.path.join(self.data, "train.pcm"), "<i2")
        self.assertEqual(len(pcm), sum(r[2] for r in rows))
        for name, first, count, *_ in rows[1:]:
            self.assertEqual(set(pcm[first : first + count].tolist()), {int(name[1:]) + 1})

    def test_compare(self):
        """The teacher's errors by source, and transcripts that it contradicts with confidence."""
        rows = (
            ("right", [1], "a", "x", "one two three four"),
            ("wrong", [1], "a", "x", "five six seven eight"),
            ("unsure", [1], "a", "x", "five six seven eight"),
            ("elsewhere", [1], "b", "x", "five six seven eight"),
            ("deaf", [1], "a", "x", "nine ten"),
            ("unheard", [1], "a", "x", "nine"),
        )
        pack(self.data, "train", rows)
        labels = os.path.join(self.folder, "labels.tsv")
        with open(labels, "w") as f:
            f.write("right\t-0.05\t-1\t1\tOne, 2, three: for\nwrong\t-0.3\t-1\t1\tQuite another thing\n")
            f.write("deaf\t-0.1\t-0.1\t1\t\n")
            f.write("unsure\t-0.8\t-1\t1\tSome guess\nelsewhere\t-0.1\t-1\t1\tQuite another thing\n")
        self.assertEqual(read_labels(labels)["right"], (-0.05, "one two three for"))
        options = ["--labels", labels, "--data", self.data, "--split", "train"]
        before = read_index(self.data, "train")
        said = script("compare.py", *options)
        self.assertIn("a: 14 words, 78.6 % wrong", said)
        self.assertIn("from -0.1: 10 words, 70.0 % wrong", said)
        self.assertEqual(read_index(self.data, "train"), before)
        said = script("compare.py", *options, "--leave-out", "0.6", "--source", "a")
        self.assertIn("1 of 6 recordings taken out", said)
        self.assertEqual(read_index(self.data, "train"), [row for row in before if row[0] != "wrong"])
        self.assertEqual(lines(self.data, "left_out.tsv"), [["wrong", "1.00", "five six seven eight"]])
        refused = script("compare.py", *options[:-1], "dev", "--leave-out", "0.6", fails=True)
        self.assertIn("--leave-out", refused)


if __name__ == "__main__":
    unittest.main()
