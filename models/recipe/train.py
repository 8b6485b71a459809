"""Trains the network.

    python3 train.py --data DIR --out RUN --minutes 100 [--workers 2] [--resume]

Stages by the share of --minutes (or --hours) gone: frame targets (phones in a middle block, units
at their ends) until --frames; then CTC with the triggered attention decoder; the learning rate
falls to zero at the end.  Several workers train asynchronously on shared weights ("Hogwild", Niu 2011),
each with one thread and an optimiser of its own: on few cores that other work shares, this loses
less than threads that wait for each other.  On a CUDA machine use --device cuda --half,
and --loaders with about as many processes as there are cores (loader.py).

RUN/checkpoint.pt is written every --save minutes and is all that --resume needs; RUN/log.tsv holds
a line per report: worker, minutes, hours of audio, losses; RUN/eval.tsv the greedy CTC word error
rate on part of dev.  --start MODEL --frames 0 begins with the weights of a model file, which has the
network's sizes, and not where its training ended: the optimiser's moments are not in it.
"""

import argparse
import json
import math
import os
import signal
import sys
import time

import torch
import torch.multiprocessing as multiprocessing

import export
import fused
import mmi
from augment import mask_features
from data import Recordings
from evaluate import greedy_error_rate
from features import HOP, RATE_HZ, LogMel
from loader import Loader, open_sampler
from losses import attention_loss, ctc_loss, ctc_triggers, pad_tokens, peak_loss, phone_loss
from network import Config, Network

# Frames (10 ms) that a batch's encodings see ahead in chunks of; 0: the whole utterance.
CHUNKS = (16, 32, 64, 64, 128, 128, 0)
EVALUATED_CHUNK = 64


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--dictionary", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=100, help="of training in all")
    parser.add_argument("--hours", type=float, help="of audio to be heard in all, in place of --minutes")
    parser.add_argument("--frames", type=float, default=0.15, help="share of it on frame targets")
    parser.add_argument("--seconds", type=float, default=60, help="of audio in a batch")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--save", type=float, default=5, help="minutes between checkpoints")
    parser.add_argument("--evaluate", type=float, default=10, help="minutes between evaluations")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--loaders", type=int, default=0, help="processes that make batches ahead; 0: none")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--level", type=float, default=0.3, help="of augmentation (augment.py), 0..1")
    parser.add_argument("--speed", type=float, default=0.5, help="chance that a recording is faster or slower")
    parser.add_argument("--mask", type=float, default=0.2, help="strength of SpecAugment, 0..1")
    parser.add_argument("--mmi", type=float, default=0.0, help="share of maximum mutual information in CTC's loss (mmi.py)")
    parser.add_argument("--sample-units", action="store_true", help="cut words into units differently each time")
    parser.add_argument("--decoder-every", type=int, default=1, help="train the decoder on every so many'th batch")
    parser.add_argument("--half", action="store_true", help="bf16 products: for processors with AMX, and GPUs")
    parser.add_argument("--plain", action="store_true", help="PyTorch's own operations, no kernels in C")
    parser.add_argument("--exact", action="store_true", help="the kernels' products in f32, not in fixed point")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", help="a model file to begin with the weights of, for more or other recordings")
    parser.add_argument("--part", type=int, default=1, help="train on one in so many recordings only")
    parser.add_argument("--overfit", type=int, default=0, help="train on so many recordings only")
    for name, value in Config().as_dict().items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), help=f"(default: {value})")
    arguments = parser.parse_args()
    if arguments.loaders and arguments.workers > 1:
        parser.error("--loaders goes with one worker")
    if arguments.resume and arguments.start:
        parser.error("either --resume or --start")
    return arguments


def make_config(arguments, units):
    given = {name: getattr(arguments, name) for name in Config().as_dict()}
    return Config(**{**{name: value for name, value in given.items() if value is not None}, "tokens": units.size})


def feature_statistics(recordings, count=300):
    """Mean and inverse deviation of each log-mel bin over some recordings."""
    log_mel = LogMel()
    step = max(1, len(recordings.rows) // count)
    frames = torch.cat(
        [log_mel(torch.from_numpy(recordings.samples(row))[None])[0] for row in recordings.rows[::step]]
    )
    return frames.mean(0), 1.0 / frames.std(0)


def some_frames(network, recordings, count=24, size=24, seconds=5):
    """Normalised frames of `count` recordings picked evenly, up to `size` of them at a time: [size, T, bins]."""
    rows, log_mel = [row for row in recordings.rows if row[2] >= seconds * RATE_HZ], LogMel()
    rows = rows[:: max(1, len(rows) // count)][:count]
    for first in range(0, len(rows), size):
        pieces = [recordings.samples(row)[: seconds * RATE_HZ] for row in rows[first : first + size]]
        yield network.normalise(log_mel(torch.stack([torch.from_numpy(p) for p in pieces])))


def learning_rate(progress, peak):
    """Rises over the first 3 %, holds, falls linearly to nothing over the last 60 %."""
    return peak * min(1.0, (progress + 0.002) / 0.03, max(0.0, (1 - progress) / 0.6) + 0.003)


class Stage:
    """What is trained at this share of the time."""

    def __init__(self, progress, arguments):
        frames = arguments.frames
        self.frame_targets = progress < frames
        # Short recordings first, and nothing hidden from the network until it flies.
        self.longest_s = 6.0 if progress < frames / 3 else 10.0 if progress < frames else 17.0
        self.level = 0.0 if self.frame_targets else arguments.level
        self.mask = arguments.mask if not self.frame_targets and progress < 0.97 else 0.0
        self.mmi = arguments.mmi
        self.sample_units = arguments.sample_units and not self.frame_targets


def losses_of(network, log_mel, batch, stage, device, generator, half, bigram, attend=True):
    """Parts by name, and their weighted sum.  half: matrix products in bf16; bigram: mmi.py's; attend:
    with the decoder."""
    config = network.config
    frames = network.normalise(log_mel(batch.samples.to(device)))
    inside = torch.arange(frames.shape[1], device=device)[None, :] < batch.frame_counts.to(device)[:, None]
    frames = frames * inside[:, :, None]
    if stage.mask:
        mask_features(frames, batch.frame_counts, stage.mask, generator)
    drawn = int(torch.randint(0, len(CHUNKS), (1,), generator=generator))
    chunk = CHUNKS[drawn] // config.subsampling
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=half):
        encodings, counts, phones = network.encode(frames, batch.frame_counts.to(device), chunk)
        logits = network.ctc_logits(encodings)
    encodings = encodings.float()
    ctc_counts = counts * config.ctc_frames
    parts = {"phone": phone_loss(phones, batch, config)}
    if stage.frame_targets:
        parts["peak"] = peak_loss(torch.log_softmax(logits.float(), dim=-1), batch, ctc_counts.cpu())
        return parts, parts["phone"] + parts["peak"]
    tokens, lengths = pad_tokens(batch, device)
    if network.encoder.fused:
        parts["ctc"], log_probabilities = fused.ctc_loss(logits, tokens, lengths, ctc_counts)
    else:
        log_probabilities = torch.log_softmax(logits.float(), dim=-1)
        parts["ctc"] = ctc_loss(log_probabilities, tokens, lengths, ctc_counts)
    total = 0.3 * parts["phone"] + parts["ctc"]
    if stage.mmi:
        if network.encoder.fused:
            sums = fused.mmi_log_sum(logits, log_probabilities, bigram, ctc_counts)
        else:
            sums = mmi.log_sum(log_probabilities, bigram, ctc_counts)
        parts["mmi"] = mmi.mmi_loss(parts["ctc"], sums, bigram, tokens, lengths, ctc_counts)
        total = total + stage.mmi * (parts["mmi"] - parts["ctc"])
    if attend:
        find_triggers = fused.ctc_triggers if network.encoder.fused else ctc_triggers
        frames = find_triggers(log_probabilities, tokens, lengths, ctc_counts)
        triggers = torch.div(frames, config.ctc_frames, rounding_mode="floor")
        pause = export.search_of(config)["segment_blanks"]
        parts["attention"] = attention_loss(network, encodings, counts, tokens, lengths, triggers, half, pause)
        total = total + 0.7 * parts["attention"]
    return parts, total


class Average:
    """Exponential moving average of the weights: what is evaluated and shipped."""

    def __init__(self, network, decay):
        self.decay, self.count = decay, 0
        self.values = {k: v.detach().clone().float() for k, v in network.state_dict().items()}

    def next(self):
        """Counts a step; returns the share of the average that remains."""
        self.count += 1
        return min(self.decay, self.count / (self.count + 9))

    @torch.no_grad()
    def update(self, network):
        decay = self.next()
        for name, value in network.state_dict().items():
            self.values[name].lerp_(value.float(), 1 - decay)


def optimiser_of(network, rate):
    decayed = [p for p in network.parameters() if p.ndim >= 2]
    others = [p for p in network.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-8)


def restore(optimiser, saved):
    """Takes over the moments from a checkpoint, and nothing else: what else PyTorch keeps beside them
    differs from version to version."""
    pairs = zip(optimiser.state_dict()["param_groups"], saved["param_groups"])
    groups = [dict(new, params=old["params"]) for new, old in pairs]
    optimiser.load_state_dict({"state": saved["state"], "param_groups": groups})


def save(path, network, average, optimiser, minutes, hours):
    temporary = path + ".new"
    torch.save(
        {
            "config": network.config.as_dict(),
            "weights": network.state_dict(),
            "average": average.values,
            "average_count": average.count,
            "optimiser": optimiser.state_dict(),
            "minutes": minutes,
            "hours": hours,
        },
        temporary,
    )
    os.replace(temporary, path)


def grow_ctc(checkpoint, ctc_frames):
    """Lets the CTC head of a checkpoint begin with more frames per encoding: copies of what it has.
    Frames that say the same mean the same to CTC as one."""
    config = {"ctc_frames": 1, **checkpoint["config"]}
    copies = ctc_frames // config["ctc_frames"]
    names = [n for n, p in Network(Config(**config)).named_parameters() if p.ndim >= 2]
    names += [n for n, p in Network(Config(**config)).named_parameters() if p.ndim < 2]
    parts = [checkpoint["weights"], checkpoint["average"]]
    for name in ("ctc.weight", "ctc.bias"):
        moments = checkpoint["optimiser"]["state"][names.index(name)]
        for values, key in [(part, name) for part in parts] + [(moments, "exp_avg"), (moments, "exp_avg_sq")]:
            values[key] = torch.cat([values[key]] * copies)
    checkpoint["config"] = {**config, "ctc_frames": ctc_frames}


def start_from(path, data, tokens, dropout):
    """A network with a model file's weights; its phone head, which the file has not, begins anew.  The units'
    prior and the blank's share are put back where export.py took them out with its defaults."""
    saved, _, metadata = export.load_model_file(path)
    if json.loads(metadata["tokens"]) != tokens:
        raise SystemExit(f"{path} has other text units than {data}: take its recordings' own with units.py")
    network = Network(Config(**{**saved.config.as_dict(), "dropout": dropout}))
    network.load_state_dict(saved.state_dict())
    export.divide_by_prior(network, export.unit_counts(data), -export.PRIOR, -export.BLANK)
    return network


def use_kernels(network, arguments, rank):
    """Whether the network is trained by the kernels of fused.py from now on: in f32 on a CPU."""
    if arguments.device != "cpu" or arguments.half:
        return False
    try:
        fused.use(network, arguments.exact)
    except fused.Unavailable as reason:
        if rank == 0:
            print(f"training without the kernels, several times more slowly: {reason}", flush=True)
        return False
    return True


def take_step(network, optimiser, average, fast):
    """Clips the gradients, changes the weights, then the average, if any.  Returns the norm."""
    if fast:
        return fused.step(optimiser, network, 5.0, average)
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    if torch.isfinite(norm):
        optimiser.step()
    if average is not None:
        average.update(network)
    return float(norm)


def worker(rank, arguments, network, bigram, clock):
    """bigram: mmi.py's; clock: shared tensor [minutes at the start, hours of audio of each worker...]."""
    device = arguments.device
    seed = int(time.time()) * 16 + rank
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    settings = {
        "data": arguments.data,
        "dictionary": arguments.dictionary,
        "seconds": arguments.seconds,
        "config": network.config,
        "seed": seed,
        "part": arguments.part,
        "overfit": arguments.overfit,
        "speed": arguments.speed,
    }
    sampler = Loader(arguments.loaders, **settings) if arguments.loaders else open_sampler(**settings)
    if arguments.device == "cpu":
        torch.set_num_threads(1)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
        os.nice(10 if rank else 0)  # only the first insists on its core
    optimiser = optimiser_of(network, arguments.rate)
    checkpoint_path = os.path.join(arguments.out, "checkpoint.pt")
    average = Average(network, 0.998)
    if arguments.resume:
        checkpoint = torch.load(checkpoint_path, map_location="cpu")
        grow_ctc(checkpoint, network.config.ctc_frames)
        restore(optimiser, checkpoint["optimiser"])
        average.values = {k: v.to(device) for k, v in checkpoint["average"].items()}
        average.count = checkpoint["average_count"]
    network.train()
    fast = not arguments.plain and use_kernels(network, arguments, rank)
    log_mel = fused.LogMel() if fast else LogMel().to(device)
    bigram = bigram.to(device)
    begin, step, sums = time.time(), 0, {}
    last_save, last_report, last_evaluation = begin, begin, begin

    while True:
        now = time.time()
        minutes = float(clock[0]) + (now - begin) / 60
        heard = float(clock[1:].sum())
        progress = heard / arguments.hours if arguments.hours else minutes / arguments.minutes
        finished = progress >= 1
        if rank == 0 and (finished or now - last_save > 60 * arguments.save):
            save(checkpoint_path, network, average, optimiser, minutes, heard)
            last_save = now
        if rank == 0 and (finished or now - last_evaluation > 60 * arguments.evaluate):
            _evaluate(arguments, network.config, average, minutes, heard)
            last_evaluation = time.time()
        if finished:
            sampler.close()
            return
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(progress, arguments.rate)
        stage = Stage(progress, arguments)
        batch = sampler.next(stage.frame_targets, stage.longest_s, stage.level, stage.sample_units)
        attend = step % arguments.decoder_every == 0
        parts, loss = losses_of(network, log_mel, batch, stage, device, generator, arguments.half, bigram, attend)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = take_step(network, optimiser, average if rank == 0 else None, fast)
        step += 1
        clock[1 + rank] += float(batch.counts.sum()) / RATE_HZ / 3600
        for name, value in parts.items():
            sums.setdefault(name, []).append(float(value.detach()))
        if time.time() - last_report > 60:
            means = "\t".join(f"{k}={sum(v) / len(v):.3f}" for k, v in sums.items())
            line = f"{rank}\t{minutes:.1f}\t{float(clock[1:].sum()):.2f}\t{step}\t{norm:.2f}\t{means}"
            with open(os.path.join(arguments.out, "log.tsv"), "a", encoding="utf-8") as f:
                f.write(line + "\n")
            last_report, sums = time.time(), {}


def _evaluate(arguments, config, average, minutes, hours):
    network = Network(config)
    network.load_state_dict({k: v.cpu() for k, v in average.values.items()})
    dev = Recordings(arguments.data, "dev")
    rates = greedy_error_rate(network, dev, dev.rows[::20], EVALUATED_CHUNK // network.config.subsampling)
    line = f"{minutes:.1f}\t{hours:.2f}\t" + "\t".join(f"{k}={100 * v:.2f}" for k, v in rates.items())
    with open(os.path.join(arguments.out, "eval.tsv"), "a", encoding="utf-8") as f:
        f.write(line + "\n")


def main():
    arguments = parse()
    os.makedirs(arguments.out, exist_ok=True)
    recordings = Recordings(arguments.data, "train")
    config = make_config(arguments, recordings.units)
    texts = (recordings.units.encode(row[5]) for row in recordings.rows[:: arguments.part])
    bigram = mmi.unit_bigram(texts, recordings.units.size)
    clock = torch.zeros(1 + arguments.workers, dtype=torch.float64)
    if arguments.resume:
        checkpoint = torch.load(os.path.join(arguments.out, "checkpoint.pt"), map_location="cpu")
        if arguments.ctc_frames:
            grow_ctc(checkpoint, arguments.ctc_frames)
        network = Network(Config(**{"ctc_frames": 1, **checkpoint["config"], "dropout": config.dropout}))
        network.load_state_dict(checkpoint["weights"])
        clock[0], clock[1] = checkpoint["minutes"], checkpoint["hours"]
    elif arguments.start:
        with open(os.path.join(arguments.data, "tokens.json"), encoding="utf-8") as f:
            network = start_from(arguments.start, arguments.data, json.load(f), config.dropout)
    else:
        network = Network(config)
        network.feature_mean[:], network.feature_inverse_deviation[:] = feature_statistics(recordings)
        network.encoder.subsampling.start_from(next(some_frames(network, recordings)))
        with open(os.path.join(arguments.out, "config.json"), "w", encoding="utf-8") as f:
            json.dump(vars(arguments), f, indent=1)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    network.to(arguments.device)
    if arguments.workers == 1:
        worker(0, arguments, network, bigram, clock)
        return
    network.share_memory()
    clock.share_memory_()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a usual exit, which takes the workers along
    multiprocessing.spawn(worker, (arguments, network, bigram, clock), nprocs=arguments.workers, daemon=True)


if __name__ == "__main__":
    main()
