"""From a network with an encoding each 80 ms, one with an encoding each 40 ms that does nearly the same.

    python3 finer.py MODEL --data DIR --out FINER

for `train.py --start FINER`: what has been learnt with few encodings need not be learnt again with twice as many.
With kernels that reach twice as far, zeros between their taps, every other encoding comes from what it came from
before, and those between from the same half an encoding later.  Attention looks at twice as many, with biases read
off between the old ones, so that its mean stays about the same.  Of CTC's frames the first is kept for all, of the
decoder's location filters the middle.  What can't be kept is the subsampling's last convolution: the linear layer
behind the one before it is fitted to what came of it, by least squares over recordings trained on.
"""

import argparse
import json

import torch

import export
import safetensors
from data import Recordings
from network import Config, Network
from train import some_frames

RIDGE = 1e-3  # of the mean square of the inputs


def config_of(old):
    """The configuration with twice the encodings, that sees as far."""
    if old.ctc_frames % 2:
        raise SystemExit("the network's CTC has to have an even number of frames for each encoding")
    values = old.as_dict()
    for name in "left_context max_chunk look_ahead attention_window".split():
        values[name] *= 2
    for name in "subsampling ctc_frames".split():
        values[name] //= 2
    return Config(**{**values, "kernel": 2 * old.kernel - 1})


def spread(taps):
    """[..., n] -> [..., 2 n - 1]: zeros between the taps."""
    out = taps.new_zeros(*taps.shape[:-1], 2 * taps.shape[-1] - 1)
    out[..., ::2] = taps
    return out


def between(values, places):
    """values [..., n] at places in [0, n - 1], by straight lines between them."""
    places = places.clamp(0, values.shape[-1] - 1)
    low = places.floor().long().clamp(max=values.shape[-1] - 2)
    share = places - low
    return values[..., low] * (1 - share) + values[..., low + 1] * share


def carry_over(old, new):
    """All weights of `new` but the subsampling's linear layer."""
    weights, config = old.state_dict(), old.config
    for name, value in new.state_dict().items():
        if name.startswith("phone") or name not in weights or name == "encoder.subsampling.linear.weight":
            continue
        given = weights[name]
        if name.endswith("convolution.depthwise.weight"):
            given = spread(given)
        elif name.endswith("relative_bias"):
            distances = torch.arange(value.shape[1]) - (new.config.max_chunk - 1)
            given = between(given, distances / 2 + config.max_chunk - 1)
        elif name.endswith("filters.weight"):
            # Half of an encoding's weight lies on each of the two that take its place.  What is farther away than
            # half of the old filters' reach is given up: the decoder's time goes into taps.
            half = value.shape[1] // 2
            given = between(given, half + (torch.arange(value.shape[1]) - half) / 2)
        elif name.startswith("ctc."):
            given = given[: len(value)]
        value.copy_(given)


def every_phase(subsampling, frames, step):
    """What the old subsampling, of 2 `step` frames each, makes at each multiple of `step`: [B, N, d]."""
    at, later = subsampling(frames), subsampling(frames[:, step:])
    time = min(at.shape[1], later.shape[1])
    return torch.stack([at[:, :time], later[:, :time]], dim=2).flatten(1, 2)


def inputs_of_linear(subsampling, frames):
    """What the subsampling gives to its linear layer: [B, N, inputs]."""
    heard = []
    hook = subsampling["linear"].register_forward_pre_hook(lambda module, given: heard.append(given[0]))
    subsampling(frames)
    hook.remove()
    return heard[0]


def fit_linear(old, new, batches):
    """Fits the new subsampling's linear layer; returns what share of the variance it explains."""
    layer = new.encoder.subsampling["linear"]
    size = layer.in_features + 1
    square = torch.zeros(size, size, dtype=torch.float64)
    product = torch.zeros(size, layer.out_features, dtype=torch.float64)
    squares = torch.zeros(layer.out_features, dtype=torch.float64)
    for frames in batches:
        wanted = every_phase(old.encoder.subsampling, frames, new.config.subsampling)
        given = inputs_of_linear(new.encoder.subsampling, frames)[:, : wanted.shape[1]]
        # The first encodings hear the zeros before the recording.
        wanted, given = (part[:, 4:].flatten(0, 1).double() for part in (wanted, given))
        given = torch.cat([given, torch.ones_like(given[:, :1])], dim=1)
        square += given.t() @ given
        product += given.t() @ wanted
        squares += (wanted**2).sum(0)
    ridge = RIDGE * square.diagonal().mean() * torch.eye(size, dtype=torch.float64)
    ridge[-1, -1] = 0
    found = torch.linalg.solve(square + ridge, product)
    layer.weight.copy_(found[:-1].t())
    layer.bias.copy_(found[-1])
    left = squares - 2 * (found * product).sum(0) + (found * (square @ found)).sum(0)
    return float(1 - left.sum() / (squares - product[-1] ** 2 / square[-1, -1]).sum())


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--recordings", type=int, default=960, help="to fit the linear layer on")
    arguments = parser.parse_args()
    old, _, metadata = export.load_model_file(arguments.model)
    new = Network(config_of(old.config)).eval()
    carry_over(old, new)
    recordings = Recordings(arguments.data, "train")
    explained = fit_linear(old, new, some_frames(new, recordings, arguments.recordings, 32))
    search = json.loads(metadata["search"])
    search.update({name: 2 * search[name] for name in ("segment_blanks", "segment_max")})
    metadata = {**metadata, "config": export.config_json(new.config), "search": json.dumps(search)}
    metadata.pop("lm", None)
    safetensors.write(arguments.out, export.tensors_of(new, "f32"), metadata)
    print(f"{arguments.out}: the linear layer explains {100 * explained:.1f} % of the variance")


if __name__ == "__main__":
    main()
