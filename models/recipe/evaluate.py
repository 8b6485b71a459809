"""Word error rates of a checkpoint or model file on dev, or on what it was trained on.

    python3 evaluate.py --data DIR --model models/en.safetensors --modes greedy,ctc,joint --chunks 8

Modes: greedy (CTC's best path), ctc (prefix beam search), joint (with the attention decoder), lm
(with both the decoder and the n-gram).
Chunk 0 is the whole utterance at once.  The rates of --split train say how much of the errors on dev are
for want of training and how much for want of other recordings.
"""

import argparse
import json
import os

import torch

from features import HOP, LogMel
from wer import Tally


def pad_batch(pieces):
    counts = torch.tensor([len(p) for p in pieces])
    samples = torch.zeros(len(pieces), int(counts.max()))
    for row, piece in enumerate(pieces):
        samples[row, : len(piece)] = torch.as_tensor(piece)
    return samples, counts


@torch.no_grad()
def encode_recordings(network, recordings, rows, chunk, batch=8, tail=4 * 8 * HOP):
    """Yields (row, encodings [N, d], CTC log-probabilities [N * ctc_frames, V + 1]); zeros follow each recording
    as they do when a stream ends."""
    network.eval()
    log_mel = LogMel()
    rows = sorted(rows, key=lambda r: r[2])
    for begin in range(0, len(rows), batch):
        part = rows[begin : begin + batch]
        pieces = [torch.nn.functional.pad(torch.from_numpy(recordings.samples(r)), (0, tail)) for r in part]
        samples, counts = pad_batch(pieces)
        frames = network.normalise(log_mel(samples))
        encodings, lengths, _ = network.encode(frames, torch.div(counts + HOP - 1, HOP, rounding_mode="floor"), chunk)
        log_probabilities = torch.log_softmax(network.ctc_logits(encodings), dim=-1)
        for number, row in enumerate(part):
            length = int(lengths[number])
            yield row, encodings[number, :length], log_probabilities[number, : length * network.config.ctc_frames]


def greedy(log_probabilities):
    best = log_probabilities.argmax(-1).tolist()
    return [t for t, before in zip(best, [0] + best[:-1]) if t and t != before]


def greedy_error_rate(network, recordings, rows, chunk):
    tally = Tally()
    for row, _, log_probabilities in encode_recordings(network, recordings, rows, chunk):
        tally.add(row[3], row[5], recordings.units.decode(greedy(log_probabilities)))
    return tally.rates()


def search_error_rate(network, recordings, rows, chunk, options, lm=None, details=None):
    from search import Search

    tally = Tally()
    for row, encodings, log_probabilities in encode_recordings(network, recordings, rows, chunk):
        text = recordings.units.decode(Search(network, options, lm)(encodings, log_probabilities))
        tally.add(row[3], row[5], text)
        if details:
            details.write(f"{row[0]}\t{row[3]}\t{row[5]}\t{text}\n")
    return tally.rates()


def main():
    from data import Recordings
    import export

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", help="a model file")
    parser.add_argument("--run", help="or a training run's folder")
    parser.add_argument("--modes", default="greedy")
    parser.add_argument("--chunks", default="8")
    parser.add_argument("--split", default="dev", choices=("dev", "train"))
    parser.add_argument("--every", type=int, default=1, help="only every so many'th recording")
    parser.add_argument("--search", default="{}", help="JSON object over the model's search options")
    parser.add_argument("--details", help="file for reference and hypothesis of each recording")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.model:
        network, lm, metadata = export.load_model_file(arguments.model)
        options = json.loads(metadata["search"])
    else:
        network, _ = export.load_checkpoint(os.path.join(arguments.run, "checkpoint.pt"))
        export.round_weights(network)
        options, lm = export.search_of(network.config), None
    options = {**options, **json.loads(arguments.search)}
    recordings = Recordings(arguments.data, arguments.split)
    rows = recordings.rows[:: arguments.every]
    for mode in arguments.modes.split(","):
        for chunk in map(int, arguments.chunks.split(",")):
            if mode == "greedy":
                rates = greedy_error_rate(network, recordings, rows, chunk)
            else:
                off = {"ctc": ("attention_weight", "lm_weight"), "joint": ("lm_weight",), "lm": ()}[mode]
                chosen = {**options, **{name: 0.0 for name in off}}
                with open(arguments.details or os.devnull, "w", encoding="utf-8") as details:
                    rates = search_error_rate(network, recordings, rows, chunk, chosen, lm, details)
            print(mode, chunk, " ".join(f"{k} {100 * v:.2f}" for k, v in sorted(rates.items())), flush=True)


if __name__ == "__main__":
    main()
