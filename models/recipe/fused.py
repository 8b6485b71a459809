"""The network and the optimiser by the kernels in kernels/, for training on a CPU.

network.py stays the definition: use(network) changes how it computes, not what.  The kernels are
compiled when first used, for this processor, into ~/.cache/steno (or $XDG_CACHE_HOME/steno), and
called through ctypes; a compiler and the CBLAS that PyTorch uses are all they need.
"""

import ctypes
import glob
import hashlib
import math
import os
import subprocess
import tempfile
from ctypes import Structure, byref, c_double, c_float, c_int64, c_uint32, c_void_p

import torch

import features

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels")
# Sums may be taken in any order; NaN and infinity stay what they are, for clipping to see them.
FLAGS = (
    "-std=gnu11 -O3 -march=native -fno-math-errno -fno-trapping-math -fno-signed-zeros -fassociative-math"
    " -freciprocal-math -fopenmp-simd -ffp-contract=fast -Wno-psabi -fPIC -shared"
).split()
SITES = ("ff1_in", "ff1_out", "score", "attention", "convolution", "ff2_in", "ff2_out")


class Unavailable(Exception):
    """Why the kernels can't be used here."""


class BlockShape(Structure):  # struct shape in kernels.h
    _fields_ = [
        (name, c_int64)
        for name in "batch rows longest dimension feed_forward heads kernel left_context max_chunk chunk".split()
    ] + [("offsets", c_void_p), ("dropout", c_float), ("seed", c_uint32)]


class SubsamplingShape(Structure):  # struct subsampling in subsampling.c
    _fields_ = [
        (name, c_int64) for name in "batch rows longest stages bins channels dimension frame_rows".split()
    ] + [("offsets", c_void_p)]


class DecoderShape(Structure):  # struct decoder in decoder.c
    _fields_ = [
        (name, c_int64)
        for name in "batch time steps dimension lstm attention window taps look_ahead".split()
    ] + [(name, c_void_p) for name in "counts tokens triggers starts".split()]


class Weight(Structure):  # struct weight in optimiser.c
    _fields_ = (
        [(name, c_void_p) for name in "value gradient mean square average".split()]
        + [("count", c_int64)]
        + [(name, c_float) for name in "rate decay first second".split()]
    )


def _compiler_flags(compiler):
    flags = list(FLAGS)
    asked = subprocess.run(
        [compiler, "-march=native", "-mprefer-vector-width=512", "-E", "-xc", os.devnull], capture_output=True
    )
    return flags + ["-mprefer-vector-width=512"] if asked.returncode == 0 else flags


def _processor():
    """What -march=native depends on, so that a cache on a shared disk serves several machines."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return "".join(sorted({line for line in f if line.startswith(("flags", "Features", "model name"))}))


def compile_kernels():
    """The path of the compiled library.  Two processes may do this at once: a finished file is
    moved to its place, whoever comes last."""
    compiler = os.environ.get("CC", "cc").split()[-1]
    texts = [_processor(), " ".join(FLAGS), compiler]
    for path in sorted(glob.glob(os.path.join(SOURCES, "*.[ch]"))):
        with open(path, encoding="utf-8") as f:
            texts.append(f.read())
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "steno")
    name = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    path = os.path.join(cache, f"kernels-{name}.so")
    if os.path.exists(path):
        return path
    os.makedirs(cache, exist_ok=True)
    handle, temporary = tempfile.mkstemp(suffix=".so", dir=cache)
    os.close(handle)
    try:
        sources = sorted(glob.glob(os.path.join(SOURCES, "*.c")))
        command = [compiler, *_compiler_flags(compiler), "-o", temporary, *sources, "-lm"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    return path


def _blas():
    """PyTorch's own CBLAS, with as many threads as PyTorch has."""
    for name in ("libopenblas.so.0", "libblas.so.3", "libcblas.so.3", "libmkl_rt.so"):
        try:
            library = ctypes.CDLL(name)
            product = library.cblas_sgemm
        except (OSError, AttributeError):
            continue
        if hasattr(library, "openblas_set_num_threads"):
            library.openblas_set_num_threads(torch.get_num_threads())
        return ctypes.cast(product, c_void_p)
    raise Unavailable("there is no library with cblas_sgemm")


_loaded = None


def library():
    """The kernels, compiled and loaded; raises Unavailable where that can't be done."""
    global _loaded
    if _loaded is None:
        try:
            kernels = ctypes.CDLL(compile_kernels())
        except OSError as error:
            raise Unavailable(str(error)) from error
        for name in ("block", "subsampling", "decoder"):
            getattr(kernels, name + "_kept").restype = c_int64
            getattr(kernels, name + "_scratch").restype = c_int64
        kernels.ctc_scratch.restype = c_int64
        kernels.mmi_scratch.restype = c_int64
        kernels.gradient_square.restype = c_double
        kernels.kernels_set_blas.argtypes = [c_void_p]
        kernels.kernels_set_blas.restype = None
        kernels.kernels_set_blas(_blas())
        _loaded = kernels
    return _loaded


def _pointer(tensor):
    return c_void_p(_contiguous(tensor).data_ptr())


def _pointers(tensors):
    return (c_void_p * len(tensors))(*[_contiguous(tensor).data_ptr() for tensor in tensors])


def _like(tensors):
    """Gradients for tensors, in one piece of memory."""
    flat = torch.empty(sum(t.numel() for t in tensors))
    parts, begin = [], 0
    for tensor in tensors:
        parts.append(flat[begin : begin + tensor.numel()].view(tensor.shape))
        begin += tensor.numel()
    return parts


class _Memory:
    """What was taken and given back, to be taken again: for the system to hand out and take away
    the pages of so much memory at every step would cost a tenth of the time."""

    def __init__(self):
        self.free = []

    def take(self, count):
        """A tensor of at least count floats."""
        enough = [memory for memory in self.free if memory.numel() >= count]
        if not enough:
            self.free = self.free[1:]  # all are too small: let one of them grow
            return torch.empty(count + count // 8)
        best = min(enough, key=torch.Tensor.numel)
        self.free = [memory for memory in self.free if memory is not best]
        return best

    def give(self, memory):
        self.free.append(memory)


_memory = _Memory()


def _forward(part, ctx, shape, parameters, inputs, out):
    """out, computed by the part's kernel, which keeps in ctx what _backward needs of its work."""
    kernels = library()
    ctx.shape = shape
    ctx.kept = _memory.take(getattr(kernels, part + "_kept")(byref(shape)))
    scratch = _memory.take(getattr(kernels, part + "_scratch")(byref(shape)))
    getattr(kernels, part + "_forward")(
        byref(shape),
        _pointers(parameters),
        *map(_pointer, inputs),
        _pointer(ctx.kept),
        _pointer(scratch),
        _pointer(out),
    )
    _memory.give(scratch)
    return out


def _backward(part, ctx, gradient, parameters, inputs, outs):
    """The parameters' gradients; outs get those of what the forward pass was given."""
    kernels, gradients = library(), _like(parameters)
    gradient = gradient.contiguous()
    scratch = _memory.take(getattr(kernels, part + "_scratch")(byref(ctx.shape)))
    getattr(kernels, part + "_backward")(
        byref(ctx.shape),
        _pointers(parameters),
        *map(_pointer, inputs),
        _pointer(ctx.kept),
        _pointer(gradient),
        _pointer(scratch),
        _pointers(gradients),
        *map(_pointer, outs),
    )
    _memory.give(scratch)
    _memory.give(ctx.kept)
    ctx.kept = None
    return gradients


class BlockFunction(torch.autograd.Function):
    """x [rows, d] -> [rows, d] by block_forward.  shape: BlockShape, not changed by the caller."""

    @staticmethod
    def forward(ctx, x, shape, *parameters):
        ctx.parameters = parameters
        ctx.save_for_backward(x)
        return _forward("block", ctx, shape, parameters, [x], torch.empty_like(x))

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        out = torch.empty_like(x)
        gradients = _backward("block", ctx, gradient, ctx.parameters, [x], [out])
        return (out, None, *gradients)


class SubsamplingFunction(torch.autograd.Function):
    """frames [B, T, bins] -> [rows, d] by subsampling_forward; frames get no gradient."""

    @staticmethod
    def forward(ctx, frames, shape, *parameters):
        ctx.parameters, ctx.frames = parameters, frames
        out = torch.empty(shape.rows, shape.dimension)
        return _forward("subsampling", ctx, shape, parameters, [frames], out)

    @staticmethod
    def backward(ctx, gradient):
        gradients = _backward("subsampling", ctx, gradient, ctx.parameters, [ctx.frames], [])
        ctx.frames = None
        return (None, None, *gradients)


class DecoderFunction(torch.autograd.Function):
    """What Decoder.forward does step by step: [B, S, 4 l] of what enters the gates, encodings, keys ->
    hidden states and contexts [B, S, l + d], by decoder_forward."""

    @staticmethod
    def forward(ctx, before, encodings, keys, shape, *parameters):
        ctx.sizes = before.shape, keys.shape
        ctx.save_for_backward(encodings, *parameters)
        out = torch.empty(shape.batch, shape.steps, shape.lstm + shape.dimension)
        return _forward("decoder", ctx, shape, parameters, [before, encodings, keys], out)

    @staticmethod
    def backward(ctx, gradient):
        encodings, *parameters = ctx.saved_tensors
        before, keys = (torch.empty(size) for size in ctx.sizes)
        out = torch.empty_like(encodings)
        gradients = _backward("decoder", ctx, gradient, parameters, [encodings], [before, out, keys])
        return (before, out, keys, None, *gradients)


class CtcFunction(torch.autograd.Function):
    """logits [B, N, V + 1] -> losses [B], infinite where no path exists; their log softmax, which
    gets no gradient.  By ctc_loss in ctc.c."""

    @staticmethod
    def forward(ctx, logits, tokens, lengths, counts):
        batch, time, classes = logits.shape
        numbers = [t.contiguous() for t in (tokens, lengths, counts)]
        losses, probabilities = torch.empty(batch), torch.empty_like(logits)
        gradient = torch.empty_like(logits)
        sizes = [c_int64(size) for size in (batch, time, classes, tokens.shape[1])]
        scratch = _memory.take(library().ctc_scratch(sizes[1], sizes[3]))
        library().ctc_loss(
            *sizes,
            _pointer(logits),
            *(c_void_p(t.data_ptr()) for t in (*numbers, scratch, probabilities, losses, gradient)),
        )
        _memory.give(scratch)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(probabilities)
        return losses, probabilities

    @staticmethod
    def backward(ctx, losses, probabilities):
        return ctx.saved_tensors[0] * losses[:, None, None], None, None, None


class MmiFunction(torch.autograd.Function):
    """As mmi.log_sum; the gradient is that of the logits.  By mmi_sum in mmi.c."""

    @staticmethod
    def forward(ctx, logits, log_probabilities, bigram, counts):
        batch, time, classes = logits.shape
        sums, gradient, numbers = torch.empty(batch), torch.empty_like(logits), counts.contiguous()
        sizes = [c_int64(size) for size in (batch, time, classes)]
        scratch = _memory.take(library().mmi_scratch(*sizes[1:]))
        library().mmi_sum(
            *sizes,
            _pointer(log_probabilities),
            _pointer(bigram),
            *(c_void_p(t.data_ptr()) for t in (numbers, scratch, sums, gradient)),
        )
        _memory.give(scratch)
        ctx.save_for_backward(gradient)
        return sums

    @staticmethod
    def backward(ctx, sums):
        return ctx.saved_tensors[0] * sums[:, None, None], None, None, None


class LinearFunction(torch.autograd.Function):
    """x [n, k], weight [m, k], bias [m] -> x weight^T + bias [n, m], by product."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return _product(x, 0, weight, 1, bias.expand(x.shape[0], -1).contiguous())

    @staticmethod
    def backward(ctx, gradient):
        (x, weight), gradient = ctx.saved_tensors, gradient.contiguous()
        return _product(gradient, 0, weight, 0), _product(gradient, 1, x, 0), gradient.sum(0)


def _product(a, a_transposed, b, b_transposed, out=None):
    """a b, each lying transposed or not; out, if given, is added to."""
    n, k = (a.shape[1], a.shape[0]) if a_transposed else a.shape
    m, add = b.shape[0] if b_transposed else b.shape[1], int(out is not None)
    out = torch.empty(n, m) if out is None else out
    sizes = [c_int64(size) for size in (n, m, k)]
    library().product(*sizes, _pointer(a), a_transposed, _pointer(b), b_transposed, add, _pointer(out))
    return out


def linear(x, weight, bias):
    """As torch.nn.functional.linear."""
    rows = x.reshape(-1, x.shape[-1])
    return LinearFunction.apply(rows, weight.contiguous(), bias).view(*x.shape[:-1], -1)


class LogMel(torch.nn.Module):
    """features.LogMel."""

    def __init__(self):
        super().__init__()
        library()
        self.plain = features.LogMel()

    def forward(self, samples):
        out = torch.empty(samples.shape[0], -(-samples.shape[1] // features.HOP), features.BINS)
        library().log_mel(
            *(c_int64(size) for size in samples.shape),
            _pointer(samples),
            _pointer(self.plain.window),
            _pointer(self.plain.mel),
            _pointer(out),
        )
        return out


def fits(config):
    """Whether the kernels can compute a network of this configuration."""
    return (
        config.dimension % 16 == 0
        and config.feed_forward % 16 == 0
        and config.dimension % config.heads == 0
        and config.kernel <= 31
        and config.subsampling_channels % 16 == 0
        and 4 <= config.subsampling <= 32
        and config.decoder_lstm % 16 == 0
        and config.decoder_attention % 16 == 0
        and config.attention_window % 16 == 0
        and config.location_width <= config.attention_window
    )


class Packing:
    """Where the recordings' rows lie in matrices without padding."""

    def __init__(self, counts):
        self.offsets = torch.zeros(len(counts) + 1, dtype=torch.int64)
        self.offsets[1:] = counts.cumsum(0)
        self.batch, self.rows, self.longest = len(counts), int(self.offsets[-1]), int(counts.max())
        index = torch.arange(self.longest)[None, :]
        there = (index < counts[:, None]).flatten()
        self.places = there.nonzero().flatten()  # of each row in [B * longest]

    def padded(self, rows, time):
        """[rows, d] -> [B, time, d], zeros elsewhere."""
        full = rows.new_zeros(self.batch * self.longest, rows.shape[1]).index_copy(0, self.places, rows)
        full = full.view(self.batch, self.longest, -1)
        return full if time == self.longest else torch.nn.functional.pad(full, (0, 0, 0, time - self.longest))


def subsample(subsampling, frames, packing):
    """network.Subsampling, for the rows that are there: frames [B, T, bins] -> [rows, d]."""
    shape = SubsamplingShape(
        batch=packing.batch,
        rows=packing.rows,
        longest=packing.longest,
        stages=subsampling.stages,
        bins=frames.shape[2],
        channels=subsampling["0"].weight.shape[0],
        dimension=subsampling["linear"].weight.shape[0],
        frame_rows=frames.shape[1],
        offsets=packing.offsets.data_ptr(),
    )
    shape.keep = packing.offsets
    return SubsamplingFunction.apply(frames.contiguous(), shape, *subsampling.parameters())


def block_of(block, config, x, packing, chunk, seed):
    """network.Block, for packed rows."""
    shape = BlockShape(
        batch=packing.batch,
        rows=packing.rows,
        longest=packing.longest,
        dimension=config.dimension,
        feed_forward=config.feed_forward,
        heads=config.heads,
        kernel=config.kernel,
        left_context=config.left_context,
        max_chunk=config.max_chunk,
        chunk=chunk,
        offsets=packing.offsets.data_ptr(),
        dropout=config.dropout if block.training else 0.0,
        seed=seed,
    )
    shape.keep = packing.offsets
    return BlockFunction.apply(x, shape, *block.parameters())


def encode(encoder, frames, frame_counts, chunk, listen=()):
    """As Encoder.forward; what lies beyond a recording's end is 0."""
    config = encoder.config
    if chunk > config.max_chunk:
        raise ValueError(f"chunk {chunk} is larger than max_chunk {config.max_chunk}")
    counts = torch.div(frame_counts - 1, config.subsampling, rounding_mode="floor") + 1
    packing, time = Packing(counts), (frames.shape[1] - 1) // config.subsampling + 1
    seeds = torch.randint(0, 1 << 32, (len(encoder.blocks),)).tolist()
    x, heard = subsample(encoder.subsampling, frames, packing), []
    for number, block in enumerate(encoder.blocks):
        x = block_of(block, config, x, packing, chunk, seeds[number])
        if number in listen:
            heard.append(packing.padded(x, time))
    return packing.padded(x, time), counts, heard


def decode(decoder, encodings, counts, tokens, triggers, starts):
    """As Decoder.forward."""
    config, attention, lstm = decoder.config, decoder.attention, decoder.lstm
    numbers = [t.contiguous() for t in (counts, tokens, triggers, starts)]
    shape = DecoderShape(
        batch=encodings.shape[0],
        time=encodings.shape[1],
        steps=tokens.shape[1],
        dimension=config.dimension,
        lstm=config.decoder_lstm,
        attention=config.decoder_attention,
        window=config.attention_window,
        taps=config.location_width,
        look_ahead=config.look_ahead,
        **{name: t.data_ptr() for name, t in zip(("counts", "tokens", "triggers", "starts"), numbers)},
    )
    shape.keep = numbers
    keys = linear(encodings, attention.key.weight, attention.bias)
    embedded = decoder.dropout(decoder.embedding(tokens))
    inputs = embedded.shape[2]
    joined = DecoderFunction.apply(
        linear(embedded, lstm.weight[:, :inputs], lstm.bias),
        encodings.contiguous(),
        keys,
        shape,
        torch.cat([lstm.weight[:, inputs:], lstm.recurrent], dim=1),
        (attention.location.weight @ attention.filters["weight"]).t().contiguous(),
        attention.query.weight,
        attention.energy["weight"],
    )
    return decoder.output(decoder.dropout(joined))


def ctc_loss(logits, tokens, lengths, counts):
    """As losses.ctc_loss, of logits; and their log softmax, without a gradient."""
    losses, log_probabilities = CtcFunction.apply(logits.contiguous(), tokens, lengths, counts)
    return losses.masked_fill(losses.isinf(), 0.0).sum() / lengths.sum().clamp(min=1), log_probabilities


def mmi_log_sum(logits, log_probabilities, bigram, counts):
    """As mmi.log_sum, of logits and of ctc_loss's logarithms of their softmax."""
    return MmiFunction.apply(logits.contiguous(), log_probabilities, bigram, counts)


@torch.no_grad()
def ctc_triggers(log_probabilities, tokens, lengths, counts):
    """As losses.ctc_triggers."""
    batch, time, classes = log_probabilities.shape
    width = 2 * tokens.shape[1] + 1
    scores, back = torch.empty(width), torch.empty(time, width, dtype=torch.uint8)
    numbers, triggers = [t.contiguous() for t in (tokens, lengths, counts)], torch.empty_like(tokens)
    library().ctc_triggers(
        *(c_int64(size) for size in (batch, time, classes, tokens.shape[1])),
        _pointer(log_probabilities.contiguous()),
        *(c_void_p(t.data_ptr()) for t in (*numbers, scores, back, triggers)),
    )
    return triggers


def use(network, exact=True):
    """From now on network trains by the kernels; exact: with products in f32 even where the processor
    is faster in fixed point (product_fixed.c), for all networks of this process.  Raises Unavailable."""
    if not fits(network.config):
        raise Unavailable("the configuration's sizes are not multiples of 16")
    library().kernels_set_fixed(0 if exact else 1)
    network.encoder.fused, network.decoder.fused = encode, decode
    for head in (network.ctc, network.phone, network.decoder.output):
        head.fused = linear


@torch.no_grad()
def step(optimiser, network, most, average=None):
    """A step of torch.optim.AdamW with the gradients' norm clipped at `most`, and of the average of
    the weights (train.Average), in one pass.  Returns the norm before clipping; if that is not
    finite, the weights stay."""
    kernels = library()
    names = {parameter: name for name, parameter in network.named_parameters()}
    weights, states = [], []
    for group in optimiser.param_groups:
        beta1, beta2 = group["betas"]
        for parameter in group["params"]:
            weight = Weight(value=parameter.data_ptr(), count=parameter.numel(), rate=group["lr"])
            if average is not None:
                weight.average = average.values[names[parameter]].data_ptr()
            if parameter.grad is not None:
                state = _state(optimiser, parameter)
                count = float(state["step"]) + 1
                weight.gradient, weight.decay = _contiguous(parameter.grad).data_ptr(), group["weight_decay"]
                weight.mean, weight.square = state["exp_avg"].data_ptr(), state["exp_avg_sq"].data_ptr()
                weight.first, weight.second = 1 - beta1**count, 1 - beta2**count
                states.append(state)
            weights.append(weight)
    array = (Weight * len(weights))(*weights)
    norm = math.sqrt(kernels.gradient_square(c_int64(len(weights)), array))
    if math.isfinite(norm):
        for state in states:
            state["step"] += 1
    else:
        for weight in array:
            weight.gradient = None
    kernels.optimiser_step(
        c_int64(len(weights)),
        array,
        c_float(min(1.0, most / (norm + 1e-6)) if math.isfinite(norm) else 0.0),
        c_float(beta1),
        c_float(beta2),
        c_float(group["eps"]),
        c_float(average.next() if average is not None else 1.0),
    )
    return norm


def _state(optimiser, parameter):
    state = optimiser.state[parameter]
    if not state:
        state["step"] = torch.tensor(0.0)
        state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
        state["exp_avg_sq"] = torch.zeros_like(state["exp_avg"])
    return state


def _contiguous(tensor):
    if not tensor.is_contiguous() or tensor.dtype != torch.float32:
        raise ValueError("the kernels take contiguous f32 tensors")
    return tensor
