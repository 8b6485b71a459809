"""Numbers that the C tests compare with.

    python3 golden.py tiny OUT.safetensors
        a tiny seeded network and what it computes at every stage, in one file
    python3 golden.py ngram OUT.safetensors
        an n-gram over seeded tokens, as the recipe makes them, and the scores of other such tokens
    python3 golden.py model MODEL.safetensors RECORDING OUT.safetensors
        what a model file's network computes for one recording (weights not repeated)
"""

import argparse
import json

import numpy as np
import soundfile
import torch

import export
import ngram
import ngram_counts
import ngram_trie
import safetensors
from features import LogMel
from network import Config, Network

TINY = Config(
    subsampling=8,
    subsampling_channels=8,
    ctc_frames=2,
    dimension=32,
    blocks=2,
    heads=2,
    feed_forward=48,
    kernel=5,
    left_context=6,
    max_chunk=4,
    tokens=11,
    decoder_embedding=12,
    decoder_lstm=24,
    decoder_attention=20,
    location_filters=4,
    location_width=7,
    look_ahead=2,
    attention_window=9,
    dropout=0.0,
)
TINY_TOKENS = ["\u2581", "\u2581the", "\u2581a", "a", "b", "c", "d", "'", "er", "ing"]


def tiny_network():
    torch.manual_seed(7)
    network = Network(TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
            else:
                parameter.mul_(1.5)
        for block in network.encoder.blocks:
            block.attention.relative_bias.normal_(0, 0.5)
        network.feature_mean.copy_(torch.linspace(-8, -5, TINY.mel_bins))
        network.feature_inverse_deviation.copy_(torch.linspace(0.2, 0.4, TINY.mel_bins))
    export.round_weights(network)
    return network.eval()


def tiny_samples():
    """Not quite a second of a rising tone over noise, seeded."""
    random = np.random.default_rng(3)
    time = np.arange(int(0.93 * 16000)) / 16000
    tone = np.sin(2 * np.pi * (300 + 900 * time) * time) * np.sin(2 * np.pi * 2.3 * time)
    return (0.3 * tone + 0.01 * random.standard_normal(len(time))).astype(np.float32)


@torch.no_grad()
def stages(network, samples, chunk):
    log_mel = LogMel()(torch.from_numpy(samples)[None])
    frames = network.normalise(log_mel)
    counts = torch.tensor([frames.shape[1]])
    blocks = range(network.config.blocks)
    encodings, _, heard = network.encoder(frames, counts, chunk, blocks)
    golden = {
        "golden.samples": samples,
        "golden.log_mel": log_mel[0].numpy(),
        "golden.frames": frames[0].numpy(),
        "golden.subsampled": network.encoder.subsampling(frames)[0].numpy(),
        "golden.encodings": encodings[0].numpy(),
        "golden.ctc": torch.log_softmax(network.ctc_logits(encodings), -1)[0].numpy(),
    }
    for number, output in enumerate(heard):
        golden[f"golden.block.{number}"] = output[0].numpy()
    return golden, encodings


@torch.no_grad()
def attention_steps(network, encodings, tokens, triggers):
    """Steps of the decoder told `tokens`, each with its trigger."""
    config, count = network.config, encodings.shape[1]
    keys = network.decoder.attention.key(encodings)
    state = network.decoder.start(1, count, encodings.device)
    alignments, outputs = [], []
    for token, trigger in zip(tokens, triggers):
        high = min(trigger + config.look_ahead, count - 1)
        low = max(0, trigger + config.look_ahead - config.attention_window + 1)
        logits, state = network.decoder.step(
            torch.tensor([token]), state, keys, encodings, torch.tensor([low]), torch.tensor([high])
        )
        alignments.append(state[2][0].numpy())
        outputs.append(torch.log_softmax(logits, -1)[0].numpy())
    return {
        "golden.attention.tokens": np.array(tokens, np.int64),
        "golden.attention.triggers": np.array(triggers, np.int64),
        "golden.attention.alignments": np.stack(alignments),
        "golden.attention.logits": np.stack(outputs),
    }


NGRAM_TOKENS, NGRAM_ORDER = 30, 5


def random_lines(seed, lines):
    """Tokens of lines behind a 0 each, in which what follows depends on the two before."""
    random = np.random.default_rng(seed)
    out = []
    for _ in range(lines):
        out.append(0)
        for place in range(random.integers(1, 25)):
            old = 3 * out[-1] + 5 * (out[-2] if place else 0)
            out.append(1 + (old + random.geometric(0.5)) % (NGRAM_TOKENS - 1))
    return np.array(out, np.uint16)


def ngram_golden():
    texts = (random_lines(1, 400), random_lines(2, 100))
    counts = ngram_counts.count(texts, NGRAM_ORDER, NGRAM_TOKENS, ngram.cuts(NGRAM_ORDER, 2))
    arrays, description = ngram.build(*counts, (1.0, 3.0), 900, 2)
    tokens = random_lines(3, 60)
    scores = ngram_trie.Ngram(arrays, description).scores(tokens)
    golden = {"golden.tokens": tokens.astype(np.int64), "golden.scores": scores.astype(np.float32)}
    config = json.dumps({"tokens": NGRAM_TOKENS, "order": NGRAM_ORDER})
    return {**arrays, **golden}, {"config": config, "lm": json.dumps(description)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    tiny = kinds.add_parser("tiny")
    lm = kinds.add_parser("ngram")
    model = kinds.add_parser("model")
    model.add_argument("model")
    model.add_argument("recording")
    for kind in (tiny, lm, model):
        kind.add_argument("out")
    arguments = parser.parse_args()
    if arguments.kind == "ngram":
        tensors, metadata = ngram_golden()
        safetensors.write(arguments.out, tensors, metadata)
        return
    if arguments.kind == "tiny":
        network, chunk = tiny_network(), 3
        golden, encodings = stages(network, tiny_samples(), chunk)
        golden.update(attention_steps(network, encodings, [0, 2, 4, 4, 9, 1], [0, 1, 4, 5, 9, 10]))
        texts = dict(name="tiny", language="none", licence="CC0", training_data="", trained_with="", word_error_rate="")
        metadata = export.metadata_of(TINY, TINY_TOKENS, export.search_of(TINY), texts)
        tensors = {**export.tensors_of(network, "f32"), **golden}
    else:
        network, _, _ = export.load_model_file(arguments.model)
        samples, rate_hz = soundfile.read(arguments.recording, dtype="float32")
        assert rate_hz == 16000 and samples.ndim == 1
        chunk = 64 // network.config.subsampling
        golden, encodings = stages(network, samples, chunk)
        tensors = {name: golden[name] for name in golden if name not in ("golden.samples", "golden.log_mel")}
        best = golden["golden.ctc"].argmax(-1)
        spikes = [t for t in range(len(best)) if best[t] and (t == 0 or best[t] != best[t - 1])] or [0]  # an untrained network hears nothing
        triggers = [t // network.config.ctc_frames for t in spikes]
        tensors.update(attention_steps(network, encodings, [0] + [int(best[t]) for t in spikes[:-1]], triggers))
        metadata = {"recording": arguments.recording.rsplit("/", 1)[-1]}
    metadata["golden_chunk"] = str(chunk)
    safetensors.write(arguments.out, tensors, metadata)


if __name__ == "__main__":
    main()
