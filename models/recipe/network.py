"""The network: subsampling, encoder blocks, CTC head, location-aware attention decoder.

What docs/model.md states in maths and lib/encoder, lib/decoder compute in C.  Parameter names are
those of the model file.
"""

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Config:
    mel_bins: int = 80
    subsampling: int = 4
    subsampling_channels: int = 32
    ctc_frames: int = 1  # of the CTC head, per encoding
    dimension: int = 192
    blocks: int = 8
    heads: int = 4
    feed_forward: int = 768
    kernel: int = 17
    left_context: int = 128
    max_chunk: int = 32
    tokens: int = 257
    decoder_embedding: int = 96
    decoder_lstm: int = 192
    decoder_attention: int = 128
    location_filters: int = 16
    location_width: int = 31
    look_ahead: int = 4
    attention_window: int = 64
    # Training only.
    dropout: float = 0.05
    phones: int = 40  # classes of the auxiliary head, silence included
    phone_slots: int = 2  # equal parts of an encoding's time, each with its own phone
    phone_block: int = 0  # the block after which the auxiliary head listens; 0: the middle one

    def as_dict(self):
        return asdict(self)


class Norm(nn.LayerNorm):
    """LayerNorm in f32 whatever the autocast around it."""

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class Head(nn.Linear):
    """A linear layer to logits."""

    fused = None  # as Encoder's

    def forward(self, x):
        if self.fused and self.training:
            return self.fused(x, self.weight, self.bias)
        return super().forward(x)


class Dropout(nn.Module):
    """Dropout whose masks are slices of one long random mask: on a CPU drawing fresh bits for every
    value would take an eighth of the training time."""

    _pools = {}  # (share, type) -> the mask, shared by all of this process

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        count = x.numel()
        pool = self._pools.get((self.share, x.dtype))
        if pool is None or pool.numel() < 2 * count:
            kept = torch.rand(max(1 << 23, 3 * count)) >= self.share
            pool = self._pools[self.share, x.dtype] = kept.to(x.dtype) / (1 - self.share)
        start = int(torch.randint(0, pool.numel() - count, (1,)))
        return x * pool[start : start + count].view(x.shape)


def silu(x):
    """SiLU in f32: the bf16 one of PyTorch 1.13 is several times slower on a CPU."""
    return F.silu(x.float())


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = Norm(config.dimension)
        setattr(self, "in", nn.Linear(config.dimension, config.feed_forward))
        self.out = nn.Linear(config.feed_forward, config.dimension)
        self.dropout = Dropout(config.dropout)

    def forward(self, x):
        return self.dropout(self.out(self.dropout(silu(getattr(self, "in")(self.norm(x))))))


class Attention(nn.Module):
    """Chunked local self-attention with a learned bias per head and relative distance."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.max_chunk = config.heads, config.max_chunk
        self.left_context = config.left_context
        self.norm = Norm(config.dimension)
        self.qkv = nn.Linear(config.dimension, 3 * config.dimension)
        self.out = nn.Linear(config.dimension, config.dimension)
        self.relative_bias = nn.Parameter(
            torch.zeros(config.heads, config.left_context + 2 * config.max_chunk - 1)
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, x, distance, mask):
        """x [B, T, d]; distance [T, T] index into relative_bias; mask additive, [B or 1, 1, T, T]."""
        batch, time, d = x.shape
        q, k, v = (
            self.qkv(self.norm(x)).view(batch, time, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        )
        score = (q * (d // self.heads) ** -0.5) @ k.transpose(2, 3)
        score = score.float() + (self.relative_bias.float()[:, distance] + mask)
        mixed = self.dropout(torch.softmax(score, dim=-1)).to(v.dtype) @ v
        return self.dropout(self.out(mixed.transpose(1, 2).reshape(batch, time, d)))


class Depthwise(nn.Module):
    """weight [d, kernel], bias [d]: causal depthwise convolution over time."""

    def __init__(self, dimension, kernel):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dimension, kernel) * kernel**-0.5)
        self.bias = nn.Parameter(torch.zeros(dimension))

    def forward(self, x):
        kernel = self.weight.shape[1]
        padded = F.pad(x, (0, 0, kernel - 1, 0))
        out = self.bias.to(x.dtype)
        for tap in range(kernel):
            out = torch.addcmul(out, padded[:, tap : tap + x.shape[1]], self.weight[:, tap].to(x.dtype))
        return out


class Convolution(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = Norm(config.dimension)
        setattr(self, "in", nn.Linear(config.dimension, 2 * config.dimension))
        self.depthwise = Depthwise(config.dimension, config.kernel)
        self.depthwise_norm = Norm(config.dimension)
        self.out = nn.Linear(config.dimension, config.dimension)
        self.dropout = Dropout(config.dropout)

    def forward(self, x, keep):
        x = F.glu(getattr(self, "in")(self.norm(x)).float(), dim=-1) * keep
        x = silu(self.depthwise_norm(self.depthwise(x)))
        return self.dropout(self.out(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.feed_forward_1 = FeedForward(config)
        self.attention = Attention(config)
        self.convolution = Convolution(config)
        self.feed_forward_2 = FeedForward(config)
        self.norm = Norm(config.dimension)

    def forward(self, x, distance, mask, keep):
        x = x + 0.5 * self.feed_forward_1(x)
        x = x + self.attention(x, distance, mask)
        x = x + self.convolution(x, keep)
        x = x + 0.5 * self.feed_forward_2(x)
        return self.norm(x)


class SubsamplingStage(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, stride=2, padding=(0, 1), groups=channels)
        self.pointwise = nn.Linear(channels, channels)

    def forward(self, x):
        x = self.depthwise(x).permute(0, 2, 3, 1)
        return F.silu(self.pointwise(x)).permute(0, 3, 1, 2)


class Subsampling(nn.ModuleDict):
    """frames [B, T, bins] -> [B, (T - 1) // s + 1, d]."""

    def __init__(self, config):
        channels, stages = config.subsampling_channels, config.subsampling.bit_length() - 1
        modules = {"0": nn.Conv2d(1, channels, 3, stride=2, padding=(0, 1))}
        bins = (config.mel_bins + 1) // 2
        for stage in range(1, stages):
            modules[str(stage)] = SubsamplingStage(channels)
            bins = (bins + 1) // 2
        modules["linear"] = nn.Linear(bins * channels, config.dimension)
        super().__init__(modules)
        self.stages, self.context = stages, 2 * (config.subsampling - 1)

    def forward(self, frames):
        x = F.pad(frames, (0, 0, self.context, 0)).unsqueeze(1)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.silu(self["0"](x))
        for stage in range(1, self.stages):
            x = self[str(stage)](x)
        x = x.permute(0, 2, 3, 1)
        return self["linear"](x.reshape(x.shape[0], x.shape[1], -1))

    @torch.no_grad()
    def start_from(self, frames):
        """Scales and shifts each layer so that on these frames every channel of its output has mean
        0 and deviation 1 (as LSUV does, Mishkin and Matas 2016, arXiv 1511.06422).  With the usual
        initialisation the biases drown what the sound contributes, and training crawls."""
        layers = [self["0"]]
        for stage in range(1, self.stages):
            layers += [self[str(stage)].depthwise, self[str(stage)].pointwise]
        for layer in layers + [self["linear"]]:
            heard = []
            hook = layer.register_forward_hook(lambda module, given, out: heard.append(out))
            self(frames)
            hook.remove()
            out = heard[0].transpose(1, -1) if isinstance(layer, nn.Conv2d) else heard[0]
            out = out.reshape(-1, out.shape[-1])
            deviation = out.std(0).clamp(min=1e-5)
            layer.weight.div_(deviation.view(-1, *[1] * (layer.weight.ndim - 1)))
            layer.bias.sub_(out.mean(0)).div_(deviation)


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.subsampling = Subsampling(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.fused = None  # fused.encode, where it is used in training; see fused.use

    def mask(self, time, lengths, chunk, device):
        """Additive mask [B, 1, T, T] and distances [T, T]; chunk 0: the whole utterance."""
        config = self.config
        index = torch.arange(time, device=device)
        query, key = index[:, None], index[None, :]
        if chunk:
            start = query - query % chunk
            visible = (key < start + chunk) & (key >= start - config.left_context)
        else:
            visible = (key - query < config.max_chunk) & (query - key < config.left_context + config.max_chunk)
        distance = (query - key + config.max_chunk - 1).clamp(
            0, config.left_context + 2 * config.max_chunk - 2
        )
        there = index[None, :] < lengths[:, None]
        visible = visible[None] & there[:, None, :] | (key == query)[None]
        mask = torch.zeros(visible.shape, device=device).masked_fill_(~visible, -1e9)
        return mask.unsqueeze(1), distance, there.unsqueeze(2)

    def forward(self, frames, frame_counts, chunk, listen=()):
        """frames [B, T, bins], normalised -> encodings [B, N, d], counts [B], and the outputs of
        the blocks named in `listen`."""
        if self.fused and self.training:
            return self.fused(self, frames, frame_counts, chunk, listen)
        x = self.subsampling(frames)
        counts = torch.div(frame_counts - 1, self.config.subsampling, rounding_mode="floor") + 1
        mask, distance, keep = self.mask(x.shape[1], counts, chunk, x.device)
        x, heard, keep = x.float(), [], keep.to(x.dtype)
        for number, block in enumerate(self.blocks):
            x = block(x, distance, mask, keep)
            if number in listen:
                heard.append(x)
        return x, counts, heard


class LocationAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        size = config.decoder_attention
        self.query = nn.Linear(config.decoder_lstm, size, bias=False)
        self.key = nn.Linear(config.dimension, size, bias=False)
        self.bias = nn.Parameter(torch.zeros(size))
        self.filters = nn.ParameterDict(
            {"weight": nn.Parameter(torch.randn(config.location_filters, config.location_width) * 0.1)}
        )
        self.location = nn.Linear(config.location_filters, size, bias=False)
        self.energy = nn.ParameterDict({"weight": nn.Parameter(torch.randn(size) * size**-0.5)})


class Lstm(nn.Module):
    """One step; gates in the order input, forget, cell, output."""

    def __init__(self, inputs, size):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4 * size, inputs).uniform_(-(size**-0.5), size**-0.5))
        self.recurrent = nn.Parameter(torch.empty(4 * size, size).uniform_(-(size**-0.5), size**-0.5))
        self.bias = nn.Parameter(torch.zeros(4 * size))
        with torch.no_grad():
            self.bias[size : 2 * size] = 1.0

    def forward(self, x, h, c):
        gates = F.linear(x, self.weight, self.bias) + F.linear(h, self.recurrent)
        i, f, g, o = gates.float().chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.tokens, config.decoder_embedding)
        self.lstm = Lstm(config.decoder_embedding + config.dimension, config.decoder_lstm)
        self.attention = LocationAttention(config)
        self.output = Head(config.decoder_lstm + config.dimension, config.tokens)
        self.dropout = Dropout(config.dropout)
        self.fused = None  # as Encoder's

    def start(self, batch, time, device):
        size = self.config.decoder_lstm
        return (
            torch.zeros(batch, size, device=device),
            torch.zeros(batch, size, device=device),
            torch.zeros(batch, time, device=device),
        )

    def step(self, last, state, keys, encodings, low, high):
        """One step for B prefixes: last tokens [B]; state of `start`; keys [B, N, a] = V h;
        encodings [B, N, d]; the window [low, high] of visible encodings, [B] each.
        Returns logits [B, tokens], the new state (its third part is the alignment)."""
        h, c, previous = state
        attention, config = self.attention, self.config
        located = F.conv1d(
            previous.unsqueeze(1), attention.filters["weight"].unsqueeze(1), padding=config.location_width // 2
        ).transpose(1, 2)
        energy = torch.tanh(
            attention.query(h).unsqueeze(1) + keys + attention.location(located) + attention.bias
        ) @ attention.energy["weight"]
        index = torch.arange(keys.shape[1], device=keys.device)
        visible = (index >= low[:, None]) & (index <= high[:, None])
        alignment = torch.softmax(energy.masked_fill(~visible, -1e9), dim=-1) * visible
        context = (alignment.unsqueeze(1) @ encodings).squeeze(1)
        h, c = self.lstm(torch.cat([self.dropout(self.embedding(last)), context], dim=-1), h, c)
        logits = self.output(self.dropout(torch.cat([h, context], dim=-1)))
        return logits, (h, c, alignment)

    def forward(self, encodings, counts, tokens, triggers, starts):
        """Teacher forcing.  tokens [B, U + 1]: the last token before each step, 0 where a segment
        begins (there the decoder starts afresh); triggers [B, U + 1]: the encoding at which each
        step's output is triggered; starts [B, U + 1]: the first encoding of its segment.  Only the
        window that ends look_ahead after the trigger is looked at, gathered step by step.
        Returns logits [B, U + 1, tokens]."""
        if self.fused and self.training:
            return self.fused(self, encodings, counts, tokens, triggers, starts)
        config, window = self.config, self.config.attention_window
        batch, time, d = encodings.shape
        keys = self.attention.key(encodings)
        # Room on both sides so that every window is inside; what is outside is masked.
        pad = (0, 0, window, config.look_ahead + 1)
        both = F.pad(torch.cat([encodings, keys.float()], dim=-1), pad)
        embedded = self.dropout(self.embedding(tokens))
        h, c, _ = self.start(batch, 1, encodings.device)
        previous = encodings.new_zeros(batch, window)
        previous_low = (triggers[:, 0] + config.look_ahead - window + 1)
        offsets = torch.arange(window, device=encodings.device)
        half = config.location_width // 2
        rows = torch.arange(batch, device=encodings.device)[:, None]
        attention, outputs = self.attention, []
        folded = (attention.location.weight @ attention.filters["weight"]).t()
        for step in range(tokens.shape[1]):
            goes_on = (tokens[:, step] != 0).to(h.dtype)[:, None]
            h, c, previous = h * goes_on, c * goes_on, previous * goes_on
            low = triggers[:, step] + config.look_ahead - window + 1
            place = low[:, None] + offsets
            visible = (place >= starts[:, step, None]) & (place < counts[:, None])
            window_both = both[rows, place + window]
            h_window, key_window = window_both[..., :d], window_both[..., d:]
            # The previous alignment, moved to this window (with the filters' reach on both sides).
            reach = torch.arange(-half, window + half, device=encodings.device)
            source = low[:, None] + reach - previous_low[:, None]
            inside = (source >= 0) & (source < window)
            moved = previous.gather(1, source.clamp(0, window - 1)) * inside
            # The filters over the moved alignment, as one product with U F folded into one matrix.
            located = moved.unfold(1, config.location_width, 1) @ folded
            energy = torch.tanh(
                attention.query(h).float().unsqueeze(1) + key_window + located + attention.bias
            )
            energy = (energy * attention.energy["weight"]).sum(-1)
            alignment = torch.softmax(energy.masked_fill(~visible, -1e9), dim=-1)
            context = (alignment.unsqueeze(2) * h_window).sum(1)
            h, c = self.lstm(torch.cat([embedded[:, step], context], dim=-1), h, c)
            outputs.append(torch.cat([h, context], dim=-1))
            previous, previous_low = alignment, low
        return self.output(self.dropout(torch.stack(outputs, dim=1)))


class Network(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.register_buffer("feature_mean", torch.zeros(config.mel_bins))
        self.register_buffer("feature_inverse_deviation", torch.ones(config.mel_bins))
        self.encoder = Encoder(config)
        self.ctc = Head(config.dimension, config.ctc_frames * config.tokens)
        self.decoder = Decoder(config)
        self.phone = Head(config.dimension, config.phone_slots * config.phones)
        self.phone_block = config.phone_block or config.blocks // 2

    def normalise(self, log_mel):
        return (log_mel - self.feature_mean) * self.feature_inverse_deviation

    def ctc_logits(self, encodings):
        """[B, N, d] -> [B, N * ctc_frames, tokens]: the frames of an encoding one after the other."""
        return self.ctc(encodings).view(encodings.shape[0], -1, self.config.tokens)

    def encode(self, frames, frame_counts, chunk):
        """Normalised frames -> encodings, counts, phone logits [B, N, slots, phones]."""
        encodings, counts, heard = self.encoder(frames, frame_counts, chunk, (self.phone_block - 1,))
        phones = self.phone(heard[0]).view(*heard[0].shape[:2], self.config.phone_slots, self.config.phones)
        return encodings, counts, phones
