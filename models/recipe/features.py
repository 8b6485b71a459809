"""Log-mel features in PyTorch: the definition that lib/feature implements in C."""

import math

import torch

RATE_HZ, WINDOW, HOP, FFT, BINS = 16000, 400, 160, 512, 80
LOW_HZ, HIGH_HZ, FLOOR = 20.0, 7600.0, 1e-10


def _mel(hz):
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def mel_matrix():
    """[FFT / 2 + 1, BINS]: HTK triangles, linear in mel, not normalised by area."""
    low, high = _mel(LOW_HZ), _mel(HIGH_HZ)
    points = torch.linspace(low, high, BINS + 2, dtype=torch.float64)
    hz = torch.arange(FFT // 2 + 1, dtype=torch.float64) * RATE_HZ / FFT
    mel = 2595.0 * torch.log10(1.0 + hz / 700.0)
    left, centre, right = points[:-2], points[1:-1], points[2:]
    rising = (mel[:, None] - left) / (centre - left)
    falling = (right - mel[:, None]) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()


class LogMel(torch.nn.Module):
    """samples [B, N] in [-1, 1) -> log-mel [B, ceil(N / HOP), BINS]; not normalised.

    As the streaming front end does at the end of its input, zeros follow the samples.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("mel", mel_matrix(), persistent=False)

    def forward(self, samples):
        count = -(-samples.shape[1] // HOP)
        padded = torch.nn.functional.pad(samples, (0, count * HOP + WINDOW - samples.shape[1]))
        frames = padded.unfold(1, WINDOW, HOP)[:, :count]
        spectrum = torch.fft.rfft(frames * self.window, n=FFT)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log((power @ self.mel).clamp(min=FLOOR))
