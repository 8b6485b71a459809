"""Word error rate on dev for a grid of search weights, each over the same encodings.

    python3 tune.py --data DIR --run RUN --every 6 --attention 0,0.3,0.6 --bonus 0,0.5,1

A run's network is taken as it was trained, a model file's with the units' prior taken out (export.py): what
is chosen for the one is not best for the other.
"""

import argparse
import itertools
import os

import torch

import export
import ngram_trie
from data import Recordings
from evaluate import encode_recordings
from search import Search
from wer import Tally


def numbers(text):
    return [float(x) for x in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", help="a training run's folder")
    parser.add_argument("--model", help="or a model file")
    parser.add_argument("--every", type=int, default=6, help="only every so many'th recording")
    parser.add_argument("--chunk", type=int, default=8)
    parser.add_argument("--beam", type=int, default=export.SEARCH["beam"])
    parser.add_argument("--attention", type=numbers, default=[0.0, 0.3, 0.6])
    parser.add_argument("--lm-weight", type=numbers, default=[0.0])
    parser.add_argument("--lm", help="the n-gram of ngram.py")
    parser.add_argument("--bonus", type=numbers, default=[0.0, 0.5, 1.0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.model:
        network, lm, _ = export.load_model_file(arguments.model)
    else:
        network = export.load_checkpoint(os.path.join(arguments.run, "checkpoint.pt"))[0]
        export.round_weights(network)
        lm = ngram_trie.Ngram(*ngram_trie.load(arguments.lm)) if arguments.lm else None
    dev = Recordings(arguments.data, "dev")
    encoded = list(encode_recordings(network, dev, dev.rows[:: arguments.every], arguments.chunk))
    for attention, lm_weight, bonus in itertools.product(arguments.attention, arguments.lm_weight, arguments.bonus):
        options = {
            **export.search_of(network.config),
            "beam": arguments.beam,
            "attention_weight": attention,
            "lm_weight": lm_weight,
            "token_bonus": bonus,
        }
        search, tally = Search(network, options, lm), Tally()
        for row, encodings, log_probabilities in encoded:
            tally.add(row[3], row[5], dev.units.decode(search(encodings, log_probabilities)))
        rates = " ".join(f"{k} {100 * v:.2f}" for k, v in sorted(tally.rates().items()))
        print(f"attention {attention} lm {lm_weight} bonus {bonus}: {rates}", flush=True)


if __name__ == "__main__":
    main()
