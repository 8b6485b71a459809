"""For tests of the kernels that train on a CPU, which import it first: finds the recipe, and skips them
without PyTorch, sentencepiece, a compiler or CBLAS."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "recipe"))
try:
    import fused
    import train  # noqa: F401, whatever the recipe needs
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)
try:
    fused.library()
except fused.Unavailable as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)
