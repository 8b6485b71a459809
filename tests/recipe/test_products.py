"""The kernels' products: fixed point against f64, and f32 by the BLAS as a yardstick.

Skipped without PyTorch, a compiler or CBLAS; what is about fixed point, where the processor has no
instructions for it.
"""

import math
import unittest

import with_kernels  # noqa: F401, isort: skip
import torch

import fused
from network import Config, Network

LIBRARY = fused.library()
FIXED = bool(LIBRARY.kernels_set_fixed(1))
LIBRARY.kernels_set_fixed(0)
STEPS, BLOCK = 2890, 256  # product_fixed.c: of a line's largest number; numbers of a line scaled together
# Each of n, m, k below, at and above what is computed at once: 8 rows, 48 columns, 256 of k; the
# blocks of 256 rows and 768 columns; and alone.
SIZES = [(1, 1, 1), (1, 1, 2), (2, 17, 3), (7, 48, 31), (8, 49, 32), (9, 47, 33), (16, 16, 256), (17, 96, 257)]
SIZES += [(255, 5, 64), (256, 33, 65), (257, 31, 515), (3, 769, 40), (5, 1600, 7), (600, 64, 192), (64, 192, 750)]
SIZES += [(1, 300, 1000), (300, 1, 511)]


def multiply(a, b, a_transposed=False, b_transposed=False, out=None):
    """a b (+ out), where the kernels are given a and b lying as said."""
    (n, k), m = a.shape, b.shape[1]
    a = (a.t() if a_transposed else a).contiguous()
    b = (b.t() if b_transposed else b).contiguous()
    to = torch.full((n, m), math.nan) if out is None else out.clone()
    LIBRARY.product(
        *(fused.c_int64(size) for size in (n, m, k)),
        fused.c_void_p(a.data_ptr()), int(a_transposed),
        fused.c_void_p(b.data_ptr()), int(b_transposed), int(out is not None),
        fused.c_void_p(to.data_ptr()),
    )  # fmt: skip
    return to


def numbers(n, m, generator, spread=2.0):
    """Normal numbers, each row and each column of a size of its own."""
    sizes = [torch.exp(spread * torch.randn(*s, generator=generator)) for s in ((n, 1), (1, m))]
    return torch.randn(n, m, generator=generator) * sizes[0] * sizes[1]


def bound(a, b):
    """How far a product in fixed point may be off: half a step of each factor, block by block."""
    most = torch.zeros(a.shape[0], b.shape[1], dtype=torch.float64)
    blocks = -(-a.shape[1] // BLOCK)
    size = -(-a.shape[1] // blocks)
    size += size % 2
    for begin in range(0, a.shape[1], size):
        left, right = a[:, begin : begin + size].double().abs(), b[begin : begin + size].double().abs()
        half_a = left.amax(1, keepdim=True) * 0.5001 / STEPS  # a little more, for the scales are f32
        half_b = right.amax(0, keepdim=True) * 0.5001 / STEPS
        most += half_a * right.sum(0) + left.sum(1, keepdim=True) * half_b + left.shape[1] * half_a * half_b
    return most + 1e-6 * (a.double().abs() @ b.double().abs())


class Products(unittest.TestCase):
    def tearDown(self):
        LIBRARY.kernels_set_fixed(0)

    def each(self, check):
        generator = torch.Generator().manual_seed(11)
        for n, m, k in SIZES:
            a, b = numbers(n, k, generator), numbers(k, m, generator)
            for form in ((0, 0), (0, 1), (1, 0), (1, 1)):
                out = torch.randn(n, m, generator=generator)
                check(multiply(a, b, *form), a, b, 0, f"{n} {m} {k} {form}")
                check(multiply(a, b, *form, out=out), a, b, out, f"{n} {m} {k} {form} added")

    def test_exact(self):
        def check(ours, a, b, out, where):
            most = a.double().abs() @ b.double().abs()
            self.assertTrue(((ours - (a.double() @ b.double() + out)).abs() <= 3e-6 * (most + 1)).all(), where)

        self.each(check)

    @unittest.skipUnless(FIXED, "the processor has no products of 16-bit whole numbers")
    def test_fixed(self):
        def check(ours, a, b, out, where):
            apart = (ours - (a.double() @ b.double() + out)).abs()
            self.assertTrue((apart <= bound(a, b) + 1e-6 * torch.as_tensor(out).abs()).all(), where)

        LIBRARY.kernels_set_fixed(1)
        self.each(check)

    @unittest.skipUnless(FIXED, "the processor has no products of 16-bit whole numbers")
    def test_usual_error(self):
        """Of normal numbers, products are nearer than those of numbers rounded to bf16."""
        generator = torch.Generator().manual_seed(2)
        a, b = torch.randn(512, 768, generator=generator), torch.randn(768, 192, generator=generator)
        true = a.double() @ b.double()
        LIBRARY.kernels_set_fixed(1)
        ours = float((multiply(a, b) - true).std() / true.std())
        halves = float((a.bfloat16().double() @ b.bfloat16().double() - true).std() / true.std())
        self.assertLess(ours, 6e-4)  # largest of 256: about 3; a step's deviation: 3 / 2890 / sqrt(12); two factors
        self.assertLess(ours, halves / 2)

    @unittest.skipUnless(FIXED, "the processor has no products of 16-bit whole numbers")
    def test_largest_sums(self):
        """All factors the largest there are, of one sign: the sums must not wrap."""
        LIBRARY.kernels_set_fixed(1)
        for k in (255, 256, 257, 1024):
            for sign in (1.0, -1.0):
                out = multiply(torch.full((9, k), 3.0), torch.full((k, 50), sign * 0.7))
                self.assertTrue(torch.allclose(out, torch.full_like(out, sign * 2.1 * k), rtol=1e-5), k)

    @unittest.skipUnless(FIXED, "the processor has no products of 16-bit whole numbers")
    def test_not_finite(self):
        LIBRARY.kernels_set_fixed(1)
        for bad in (math.nan, math.inf, -math.inf):
            for form in ((0, 0), (0, 1), (1, 0), (1, 1)):
                a, b = torch.ones(20, 70), torch.ones(70, 60)
                a[13, 5] = bad
                finite = torch.isfinite(multiply(a, b, *form))
                self.assertEqual(finite.all(1).tolist(), [row != 13 for row in range(20)])
                self.assertFalse(finite[13].any())
                a[13, 5], b[69, 59] = 1.0, bad
                finite = torch.isfinite(multiply(a, b, *form))
                self.assertEqual(finite.all(0).tolist(), [column != 59 for column in range(60)])
                self.assertFalse(finite[:, 59].any())

    @unittest.skipUnless(FIXED, "the processor has no products of 16-bit whole numbers")
    def test_zero_and_tiny(self):
        LIBRARY.kernels_set_fixed(1)
        torch.manual_seed(6)
        a, b = torch.randn(10, 40), torch.randn(40, 20)
        a[3], b[:, 4] = 0.0, 1e-40
        out = multiply(a, b)
        self.assertTrue((out[3] == 0).all() and (out[:, 4] == 0).all())
        huge = multiply(a * 2.0**60, b * 2.0**60)
        self.assertTrue(torch.allclose(huge * 2.0**-120, out, atol=1e-4))

    @unittest.skipUnless(FIXED, "the processor has no products of 16-bit whole numbers")
    def test_network(self):
        """Encodings and gradients of a network in fixed point and in f32 point the same way."""
        torch.manual_seed(4)
        network = Network(Config(dimension=64, blocks=3, feed_forward=192, tokens=20, dropout=0.1)).train()
        frames, counts = torch.randn(3, 300, 80), torch.tensor([300, 211, 40])
        found = []
        for exact in (True, False):
            fused.use(network, exact)
            torch.manual_seed(5)
            network.zero_grad(set_to_none=True)
            out = network.encoder(frames, counts, 8)[0]
            (out * torch.arange(64) * 0.1).sum().backward()
            found.append([out.detach()] + [p.grad for p in network.encoder.parameters()])
        self.assertFalse(torch.equal(found[0][0], found[1][0]))  # the switch does something
        for one, other in zip(*found):
            self.assertLess(float((one - other).norm()), 0.02 * float(one.norm()) + 1e-4)


if __name__ == "__main__":
    unittest.main()
