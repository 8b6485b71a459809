"""A checkpoint as a model file.

    python3 export.py --data DIR --run RUN --out models/en.safetensors --name en-small ...
    python3 export.py --model models/en.safetensors --lm lm.npz --out other.safetensors

The averaged weights go in; matrices as int8 with a scale per row or as bf16 (--weights), everything
small as f32.  The auxiliary phone head is left out, and CTC's head has how often each unit is said taken
out of it (--prior, --blank).  --search sets what the search is tuned to (see tune.py).  With --model a
model file takes the checkpoint's place: what is not given stays as it is.
"""

import argparse
import json
import os

import numpy as np
import torch

import features
import ngram_trie
import safetensors
from data import read_index
from network import Config, Network
from units import Units

FORMAT = "steno-1"
SEARCH = {
    "beam": 64,
    "token_threshold": 0.001,
    "ctc_weight": 1.0,
    "attention_weight": 0.45,
    "lm_weight": 1.3,
    "token_bonus": 2.6,
}
SEGMENT_PAUSE_S, SEGMENT_LONGEST_S = 0.56, 16
PRIOR, BLANK = 0.2, 1.5  # see divide_by_prior; chosen together with SEARCH


def search_of(config):
    """SEARCH, and when a segment ends, which the file counts in encodings."""
    encodings_hz = features.RATE_HZ / features.HOP / config.subsampling
    ends = {"segment_blanks": SEGMENT_PAUSE_S, "segment_max": SEGMENT_LONGEST_S}
    return {**SEARCH, **{name: round(seconds * encodings_hz) for name, seconds in ends.items()}}


def config_json(config):
    values = {
        "sample_rate_hz": features.RATE_HZ,
        "window_samples": features.WINDOW,
        "hop_samples": features.HOP,
        "fft_size": features.FFT,
        "mel_bins": config.mel_bins,
        "mel_low_hz": features.LOW_HZ,
        "mel_high_hz": features.HIGH_HZ,
        "mel_floor": features.FLOOR,
    }
    for name in (
        "subsampling subsampling_channels ctc_frames dimension blocks heads feed_forward kernel left_context max_chunk tokens "
        "decoder_embedding decoder_lstm decoder_attention location_filters location_width look_ahead attention_window"
    ).split():
        values[name] = getattr(config, name)
    return json.dumps(values)


def quantise(value):
    """int8 and the scales of the rows, such that the product is close."""
    scale = value.reshape(len(value), -1).abs().amax(1).clamp(min=1e-8) / 127
    wide = scale.reshape(-1, *[1] * (value.ndim - 1))
    return torch.round(value / wide).to(torch.int8).numpy(), scale.numpy()


def tensors_of(network, weights):
    """{name in the file: tensor}; matrices as `weights` says: f32, bf16 or int8."""
    tensors = {}
    for name, value in network.state_dict().items():
        if name.startswith("phone"):
            continue
        name, value = name.replace("feature_", "feature."), value.float()
        wide = value.ndim >= 2 and value.numel() >= 4096 and not name.endswith("relative_bias")
        if wide and weights == "int8":
            tensors[name], tensors[name + ".scale"] = quantise(value)
        else:
            tensors[name] = value.to(torch.bfloat16) if wide and weights == "bf16" else value.numpy()
    return tensors


def round_weights(network):
    """Rounds what the file stores as bf16, so that the network computes with the file's weights."""
    rounded = {n: t.float() for n, t in tensors_of(network, "bf16").items() if isinstance(t, torch.Tensor)}
    state = network.state_dict()
    for name, value in rounded.items():
        state[name].copy_(value)


def unit_counts(data):
    """[V + 1]: how often each unit is said in the recordings trained on, and once more; 0 for the blank."""
    units = Units(os.path.join(data, "units.model"))
    counts = np.zeros(units.size)
    counts[1:] = 1
    for row in read_index(data, "train"):
        np.add.at(counts, units.encode(row[5]), 1)
    return counts


@torch.no_grad()
def divide_by_prior(network, counts, scale, blank):
    """Of CTC's probability of a unit given the sound, makes that divided by the unit's own to the power of
    `scale`: what is left for the n-gram to multiply with, which knows better how often a unit is said (H.
    Bourlard, N. Morgan 1994; for CTC Y. Miao et al. 2015, arXiv 1507.08240).  The mean over all that is said
    stays as it is, and the blank's logit rises by `blank`."""
    said = counts[1:] / counts[1:].sum()
    shift = np.full(len(counts), blank)
    shift[1:] = -scale * (np.log(said) - np.sum(said * np.log(said)))
    network.ctc.bias.add_(torch.from_numpy(np.tile(shift, network.config.ctc_frames)).float())


def metadata_of(config, tokens, search, texts):
    return {
        "format": FORMAT,
        "config": config_json(config),
        "search": json.dumps(search),
        "tokens": json.dumps(tokens, ensure_ascii=False),
        **texts,
    }


def load_checkpoint(path):
    """The averaged network of a checkpoint, and the checkpoint."""
    checkpoint = torch.load(path, map_location="cpu")
    network = Network(Config(**{"ctc_frames": 1, **checkpoint["config"]}))
    network.load_state_dict(checkpoint["average"])
    return network.eval(), checkpoint


def load_model_file(path):
    """The network with a model file's weights, its n-gram (None if it has none) and metadata."""
    tensors, metadata = safetensors.read(path)
    values = json.loads(metadata["config"])
    known = Config().as_dict()
    values.setdefault("ctc_frames", 1)
    network = Network(Config(**{k: v for k, v in values.items() if k in known}))
    state = network.state_dict()
    for name, value in tensors.items():
        if not name.startswith(("golden.", "lm.")):
            state[name.replace("feature.", "feature_")].copy_(torch.from_numpy(np.array(value)))
    lm = ngram_trie.Ngram(tensors, json.loads(metadata["lm"])) if "lm" in metadata else None
    return network.eval(), lm, metadata


TEXTS = ("name", "language", "licence", "training_data", "trained_with", "word_error_rate")


def from_checkpoint(arguments):
    """The network, its tokens, search options, texts and no n-gram."""
    network, checkpoint = load_checkpoint(os.path.join(arguments.run, "checkpoint.pt"))
    prior = PRIOR if arguments.prior is None else arguments.prior
    blank = BLANK if arguments.blank is None else arguments.blank
    divide_by_prior(network, unit_counts(arguments.data), prior, blank)
    with open(os.path.join(arguments.data, "tokens.json"), encoding="utf-8") as f:
        tokens = json.load(f)
    trained = f"{checkpoint['hours']:.0f} hours of audio seen in {checkpoint['minutes']:.0f} minutes"
    texts = {"name": "en", "language": "en", "licence": "CC BY 4.0", "trained_with": trained}
    return network, tokens, search_of(network.config), texts, ({}, None)


def from_model_file(arguments):
    """The same of a model file, with its n-gram."""
    network, _, metadata = load_model_file(arguments.model)
    tensors = safetensors.read(arguments.model)[0]
    arrays = {name: array for name, array in tensors.items() if name.startswith("lm.")}
    description = json.loads(metadata["lm"]) if "lm" in metadata else None
    search = {**search_of(network.config), **json.loads(metadata["search"])}
    return network, json.loads(metadata["tokens"]), search, metadata, (arrays, description)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--run", help="a training run's folder, with --data")
    parser.add_argument("--model", help="or a model file")
    parser.add_argument("--out", required=True)
    parser.add_argument("--weights", choices=("bf16", "int8", "f32"), default="int8")
    parser.add_argument("--prior", type=float, help=f"power of the units' prior to divide by (default: {PRIOR})")
    parser.add_argument("--blank", type=float, help=f"added to the blank's logit (default: {BLANK})")
    for name in TEXTS:
        parser.add_argument("--" + name.replace("_", "-"))
    parser.add_argument("--lm", help="the n-gram of ngram.py: DIR/lm.npz")
    parser.add_argument("--search", default="{}", help="JSON object over the defaults")
    arguments = parser.parse_args()
    if bool(arguments.model) == bool(arguments.run) or bool(arguments.run) != bool(arguments.data):
        parser.error("either --data and --run, or --model")
    if arguments.model and (arguments.prior, arguments.blank) != (None, None):
        parser.error("--prior and --blank go with --run: a model file's head has been through this")

    source = from_model_file(arguments) if arguments.model else from_checkpoint(arguments)
    network, tokens, search, old_texts, lm = source
    texts = {name: getattr(arguments, name) or old_texts.get(name, "") for name in TEXTS}
    metadata = metadata_of(network.config, tokens, {**search, **json.loads(arguments.search)}, texts)
    tensors = tensors_of(network, arguments.weights)
    arrays, description = ngram_trie.load(arguments.lm) if arguments.lm else lm
    if description:
        tensors.update(arrays)
        metadata["lm"] = json.dumps(description)
    safetensors.write(arguments.out, tensors, metadata)
    print(f"{arguments.out}: {os.path.getsize(arguments.out) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
