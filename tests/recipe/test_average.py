"""The mean of two checkpoints: weights by share, all else of the second."""

import os
import subprocess
import sys
import tempfile
import unittest

RECIPE = os.path.join(os.path.dirname(__file__), "..", "..", "models", "recipe")
try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)


def checkpoint(value, hours):
    weights = {"a": torch.full((2, 3), value), "b": torch.full((1,), -value)}
    return {"weights": weights, "average": {k: 2 * v for k, v in weights.items()}, "hours": hours}


class AverageTest(unittest.TestCase):
    def test_shares(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("first", "second", "new/out")]
            torch.save(checkpoint(1.0, 5), paths[0])
            torch.save(checkpoint(3.0, 7), paths[1])
            program = os.path.join(RECIPE, "average.py")
            subprocess.run([sys.executable, program, *paths, "--share", "0.25"], check=True)
            result = torch.load(paths[2])
        self.assertEqual(result["hours"], 7)
        for kind, factor in (("weights", 1), ("average", 2)):
            torch.testing.assert_close(result[kind]["a"], torch.full((2, 3), 2.5 * factor))
            torch.testing.assert_close(result[kind]["b"], torch.full((1,), -2.5 * factor))


if __name__ == "__main__":
    unittest.main()
