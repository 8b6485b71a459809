"""The unit set: SentencePiece unigram pieces trained on the transcripts and a sample of the text.

    python3 units.py --data DIR --text mix.txt.xz --size 256

Writes DIR/units.model, DIR/units.vocab and DIR/tokens.json (pieces 1..V; index 0, SentencePiece's
"unknown", never occurs in normalised text and is the network's blank, start and end).
"""

import argparse
import json
import lzma
import os

import sentencepiece


class Units:
    def __init__(self, path):
        self.model = sentencepiece.SentencePieceProcessor(model_file=path)
        self.size = self.model.get_piece_size()

    def encode(self, text, sample=False):
        if sample:
            return self.model.encode(text, enable_sampling=True, alpha=0.3, nbest_size=8)
        return self.model.encode(text)

    def piece(self, token):
        return self.model.id_to_piece(int(token))

    def decode(self, tokens):
        text = "".join(self.piece(t) for t in tokens if t)
        return " ".join(text.replace("\u2581", " ").split())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--lines", type=int, default=30000, help="of the text, beside the transcripts")
    arguments = parser.parse_args()

    corpus = os.path.join(arguments.data, "units.txt")
    with open(corpus, "w", encoding="utf-8") as out:
        with open(os.path.join(arguments.data, "train.tsv"), encoding="utf-8") as f:
            for line in f:
                out.write(line.rstrip("\n").split("\t")[5] + "\n")
        with lzma.open(arguments.text, "rt", encoding="utf-8") as f:
            for _, line in zip(range(arguments.lines), f):
                out.write(line)
    prefix = os.path.join(arguments.data, "units")
    sentencepiece.SentencePieceTrainer.train(
        input=corpus,
        model_prefix=prefix,
        model_type="unigram",
        vocab_size=arguments.size + 1,
        character_coverage=1.0,
        normalization_rule_name="identity",
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
    )
    units = Units(prefix + ".model")
    with open(os.path.join(arguments.data, "tokens.json"), "w", encoding="utf-8") as f:
        json.dump([units.piece(t) for t in range(1, units.size)], f, ensure_ascii=False)
    print(f"{units.size - 1} units")


if __name__ == "__main__":
    main()
