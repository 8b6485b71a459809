"""A checkpoint as a model file.

    python3 export.py --data DIR --run RUN --out models/en.safetensors --name en-small ...

The averaged weights go in; matrices as bf16, everything small as f32.  The auxiliary phone head is
left out.  --search sets what the search is tuned to (see tune.py).
"""

import argparse
import json
import os

import numpy as np
import torch

import features
import ngram_trie
import safetensors
from network import Config, Network

FORMAT = "steno-1"
SEARCH = {
    "beam": 16,
    "token_threshold": 0.001,
    "ctc_weight": 1.0,
    "attention_weight": 0.4,
    "lm_weight": 0.7,
    "token_bonus": 3.0,
    "segment_blanks": 5,
    "segment_max": 200,
}


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


def tensors_of(network, half):
    """{name in the file: tensor}; with `half`, matrices are rounded to bf16."""
    tensors = {}
    for name, value in network.state_dict().items():
        if name.startswith("phone"):
            continue
        name = name.replace("feature_", "feature.")
        wide = value.ndim >= 2 and value.numel() >= 4096 and not name.endswith("relative_bias")
        tensors[name] = value.to(torch.bfloat16) if half and wide else value.float().numpy()
    return tensors


def round_weights(network):
    """Rounds what the file stores as bf16, so that the network computes with the file's weights."""
    rounded = {n: t.float() for n, t in tensors_of(network, True).items() if isinstance(t, torch.Tensor)}
    state = network.state_dict()
    for name, value in rounded.items():
        state[name].copy_(value)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--name", default="en")
    parser.add_argument("--language", default="en")
    parser.add_argument("--licence", default="CC BY 4.0")
    parser.add_argument("--training-data", default="")
    parser.add_argument("--word-error-rate", default="")
    parser.add_argument("--lm", help="the n-gram of ngram.py: DIR/lm.npz")
    parser.add_argument("--search", default="{}", help="JSON object over the defaults")
    arguments = parser.parse_args()

    network, checkpoint = load_checkpoint(os.path.join(arguments.run, "checkpoint.pt"))
    with open(os.path.join(arguments.data, "tokens.json"), encoding="utf-8") as f:
        tokens = json.load(f)
    texts = {
        "name": arguments.name,
        "language": arguments.language,
        "licence": arguments.licence,
        "training_data": arguments.training_data,
        "trained_with": f"{checkpoint['hours']:.0f} hours of audio seen in {checkpoint['minutes']:.0f} minutes",
        "word_error_rate": arguments.word_error_rate,
    }
    search = {**SEARCH, **json.loads(arguments.search)}
    metadata = metadata_of(network.config, tokens, search, texts)
    tensors = tensors_of(network, True)
    if arguments.lm:
        arrays, description = ngram_trie.load(arguments.lm)
        tensors.update(arrays)
        metadata["lm"] = json.dumps(description)
    safetensors.write(arguments.out, tensors, metadata)
    print(f"{arguments.out}: {os.path.getsize(arguments.out) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
