"""Augmentation: that each kind does what it says, the same again from the same seed, and moves nothing."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe"))
try:
    import numpy as np
    import torch
    import augment
    from augment import Augment
    from sound import RATE_HZ
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

torch.set_num_threads(1)


def db(value):
    return 20 * np.log10(value + 1e-12)


def band(samples, low, high):
    """Energy between two frequencies."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return spectrum[(hz >= low) & (hz < high)].sum()


class Pieces:
    """Recordings made of noise, in the form that Augment asks for."""

    def __init__(self, seed, lengths):
        random = np.random.default_rng(seed)
        self.pieces = [random.standard_normal(n).astype(np.float32) * 0.1 for n in lengths]
        self.rows = list(range(len(lengths)))

    def samples(self, row):
        return self.pieces[row]


def wide(seconds=2.0, seed=5):
    random = np.random.default_rng(seed)
    return random.standard_normal(int(seconds * RATE_HZ)).astype(np.float32) * 0.1


class Convolution(unittest.TestCase):
    def test_against_the_plain_one(self):
        random = np.random.default_rng(1)
        for count, taps, delay in ((50000, 7680, 0), (50000, 512, 256), (100, 512, 256), (3, 7680, 0), (8192, 1, 0)):
            samples, kernel = (random.standard_normal(n).astype(np.float32) for n in (count, taps))
            wanted = np.convolve(samples.astype(float), kernel.astype(float))
            wanted = np.concatenate([wanted, np.zeros(delay)])[delay : delay + count]
            out = augment.convolve(samples, kernel, delay)
            self.assertEqual(len(out), count)
            self.assertLess(np.abs(out - wanted).max(), 1e-3)


class Rooms(unittest.TestCase):
    def test_a_room(self):
        """Direct sound first and at once, energy 1, and the decay that it says."""
        times = []
        for seed in range(12):
            answer, decay_s, away_m = augment.make_room(np.random.default_rng(seed))
            self.assertEqual(len(answer), augment.ROOM_SAMPLES)
            self.assertAlmostEqual(float(np.sum(answer**2)), 1, places=4)
            self.assertGreater(answer[0], 0.2 * np.abs(answer).max())
            self.assertTrue(0.1 < away_m < 5)
            left = 10 * np.log10(np.cumsum(answer[::-1] ** 2)[::-1])  # Schroeder's integral
            begin, end = np.argmax(left < -8), np.argmax(left < -18)
            if 0 < begin < end < 0.6 * augment.ROOM_SAMPLES:
                times.append(6 * (end - begin) / RATE_HZ / decay_s)
        self.assertGreater(len(times), 6)
        self.assertGreater(np.median(times), 0.6)
        self.assertLess(np.median(times), 1.4)

    def test_same_again(self):
        one, two = (augment.make_room(np.random.default_rng(9))[0] for _ in range(2))
        self.assertTrue(np.array_equal(one, two))
        self.assertFalse(np.array_equal(augment.stock()["rooms"][0], augment.stock()["rooms"][1]))
        self.assertEqual(augment.stock()["rooms"].shape, (augment.ROOMS, augment.ROOM_SAMPLES))

    def test_as_loud_and_not_later(self):
        click = np.zeros(RATE_HZ, np.float32)
        click[5000] = 0.5
        out = augment.room(click, augment.stock()["rooms"][3])
        self.assertAlmostEqual(augment.loudness(out), augment.loudness(click), places=4)
        self.assertLess(np.abs(out[:5000]).max(), 1e-4)
        self.assertGreater(np.abs(out[5000]), 0.05)


class Channels(unittest.TestCase):
    def test_ratio(self):
        for ratio in (0, 10, 25):
            samples, other = wide(seed=1), wide(seed=2) * 3
            added = augment.mixed(samples, other, ratio) - samples
            self.assertAlmostEqual(db(augment.loudness(samples)) - db(augment.loudness(added)), ratio, delta=0.1)

    def test_colour(self):
        samples = wide()
        out = augment.colour(samples, np.zeros(8), 300, 3400)
        self.assertLess(band(out, 4200, 8000), 1e-3 * band(samples, 4200, 8000))
        self.assertLess(band(out, 0, 150), 1e-2 * band(samples, 0, 150))
        self.assertAlmostEqual(band(out, 600, 2800) / band(samples, 600, 2800), 1, delta=0.02)
        tilted = augment.colour(samples, np.array([0, 0, 0, 0, 6, 6, 6, 6]), 1, 20000)
        self.assertAlmostEqual(10 * np.log10(band(tilted, 3000, 6000) / band(samples, 3000, 6000)), 6, delta=0.5)
        place = np.argmax(np.correlate(out, samples, "full")) - (len(samples) - 1)
        self.assertEqual(place, 0)

    def test_telephone(self):
        time = np.arange(RATE_HZ) / RATE_HZ
        for a_law in (False, True):
            for loud in (0.5, 0.05):
                sine = (loud * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
                out = augment.telephone(sine, a_law)
                self.assertEqual(len(out), len(sine))
                middle = slice(800, -800)
                error = db(augment.loudness(sine[middle])) - db(augment.loudness((out - sine)[middle]))
                self.assertGreater(error, 33)
                self.assertLess(error, 48)
            self.assertLess(band(augment.telephone(wide(), a_law), 4400, 8000), 1e-3 * band(wide(), 4400, 8000))
            self.assertFalse(augment.telephone(np.zeros(500, np.float32), a_law).any())

    def test_overload(self):
        samples = wide()
        out = augment.overload(samples, 12)
        top = np.abs(out).max()
        self.assertGreater(np.mean(np.abs(out) > 0.999 * top), 0.01)
        self.assertAlmostEqual(augment.loudness(out), augment.loudness(samples), places=5)
        self.assertFalse(augment.overload(np.zeros(9, np.float32), 6).any())


class Whole(unittest.TestCase):
    def make(self, level, seed=3):
        noise, speech = Pieces(1, [4000, 90000]), Pieces(2, [20000, 70000, 300])
        return Augment(noise, level, np.random.default_rng(seed), speech)

    def test_nothing_at_level_0(self):
        samples = wide()
        self.assertIs(self.make(0)(samples), samples)

    def test_same_again_and_within_bounds(self):
        samples = wide(1.0)
        one, two = self.make(1.0), self.make(1.0)
        changed = []
        for _ in range(40):
            a, b = one(samples), two(samples)
            self.assertTrue(np.array_equal(a, b))
            self.assertEqual((len(a), a.dtype), (len(samples), np.dtype(np.float32)))
            self.assertLessEqual(np.abs(a).max(), 1.0)
            self.assertTrue(np.isfinite(a).all())
            changed.append(a)
        self.assertGreater(len({a.tobytes() for a in changed}), 38)

    def test_silence_and_short(self):
        augmented = self.make(1.0)
        for samples in (np.zeros(RATE_HZ, np.float32), np.ones(1, np.float32), wide(0.01)):
            for _ in range(30):
                out = augmented(samples)
                self.assertEqual(len(out), len(samples))
                self.assertTrue(np.isfinite(out).all())

    def test_voices(self):
        out = self.make(1.0).voices(50000)
        self.assertEqual(len(out), 50000)
        self.assertGreater(augment.loudness(out), 1.2)  # three to six of loudness 1, or parts of it

    def test_quiet(self):
        augmented, seen = self.make(1.0), set()
        for count in (1, 700, 30000):
            for _ in range(30):
                out = augmented.quiet(count)
                self.assertEqual((len(out), out.dtype), (count, np.dtype(np.float32)))
                self.assertTrue(np.isfinite(out).all())
                self.assertLessEqual(np.abs(out).max(), 1.0)
                seen.add(bool(out.any()))
        self.assertEqual(seen, {True, False})

    def test_music(self):
        """Recorded music is heard where there is some, behind speech and alone."""
        sine = np.sin(np.arange(90000) * 0.3).astype(np.float32)  # 764 Hz
        recorded = Pieces(4, [10])
        recorded.pieces = [sine]
        heard = []
        for level in (0.0, 1.0):
            augmented = self.make(level)
            self.assertLess(max(self.share(augmented.quiet(20000)) for _ in range(100)), 0.9)
            augmented.recorded_music = recorded
            heard.append(sum(self.share(augmented.quiet(20000)) > 0.9 for _ in range(200)))
        self.assertTrue(all(15 < count < 80 for count in heard), heard)
        backgrounds = [self.share(augmented.background(20000)) for _ in range(200)]
        self.assertTrue(8 < sum(share > 0.9 for share in backgrounds) < 50)

    @staticmethod
    def share(samples):
        """Of the energy, between 700 and 830 Hz."""
        return band(samples, 700, 830) / (band(samples, 0, 8001) + 1e-12)

    def test_speed(self):
        """Faster and slower, with nothing folded back: above the old band's new edge there is silence."""
        lengths = set()
        samples = wide(1.0)
        augmented = self.make(1.0)
        for _ in range(60):
            out, factor = augmented.speed(samples)
            self.assertEqual(len(out), -(-len(samples) * 20 // round(20 * factor)))
            lengths.add(len(out))
            if factor <= 0.9:
                self.assertLess(band(out, 7400, 8000), 1e-3 * band(samples, 7400, 8000))
        self.assertEqual(len(lengths), 7)


class Masks(unittest.TestCase):
    def test_masks(self):
        generator = torch.Generator().manual_seed(4)
        counts = torch.tensor([1000, 700, 99, 5])
        widths, spans = [], []
        for _ in range(50):
            frames = torch.ones(4, 1000, 80)
            augment.mask_features(frames, counts, 1.0, generator)
            bands = (frames[:, 0] == 0) & (frames[:, -1] == 0)  # bins hidden at all times
            for row, count in enumerate(counts.tolist()):
                hidden_times = frames[row, :, ~bands[row]].eq(0).all(1)
                inside = frames[row][~hidden_times][:, ~bands[row]]
                self.assertTrue(bool((inside == 1).all()))  # nothing hidden but bands and spans
                self.assertFalse(bool(hidden_times[count:].any()))
                widths.append(int(bands[row].sum()))
                spans.append(int(hidden_times.sum()) / count)
                if count < 100:
                    self.assertEqual(spans[-1], 0)
                self.assertLessEqual(spans[-1], 0.5)
        self.assertLessEqual(max(widths), 54)
        self.assertGreater(np.mean(widths), 15)
        self.assertGreater(max(spans), 0.1)

    def test_weak(self):
        frames = torch.ones(2, 300, 80)
        augment.mask_features(frames, torch.tensor([300, 300]), 0.1, torch.Generator().manual_seed(1))
        self.assertLessEqual(int((frames[0, 0] == 0).sum()), 4)


if __name__ == "__main__":
    unittest.main()
