"""Writing and reading safetensors files with numpy alone.

A tensor is a numpy array, or a torch tensor of type bfloat16.
"""

import json
import struct

import numpy as np
import torch

_NAMES = {
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int8": "I8",
    "uint16": "U16",
    "uint8": "U8",
}


def _bytes(tensor):
    if isinstance(tensor, torch.Tensor) and tensor.dtype == torch.bfloat16:
        return "BF16", list(tensor.shape), tensor.contiguous().view(torch.int16).numpy().tobytes()
    array = np.ascontiguousarray(tensor)
    return _NAMES[array.dtype.name], list(array.shape), array.tobytes()


def write(path, tensors, metadata):
    """tensors: {name: array}; metadata: {string: string}.  Widest types first, so that every tensor
    is aligned to its own type; the header is padded with spaces to a multiple of 64 bytes."""
    packed = {name: _bytes(t) for name, t in tensors.items()}
    order = sorted(packed, key=lambda n: ({"I64": 0, "F32": 1, "I32": 1, "I8": 3, "U8": 3}.get(packed[n][0], 2), n))
    header, position = {"__metadata__": metadata}, 0
    for name in order:
        kind, shape, data = packed[name]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [position, position + len(data)]}
        position += len(data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            f.write(packed[name][2])


def read(path):
    """({name: array}, metadata); weights as float32."""
    with open(path, "rb") as f:
        blob = f.read()
    (size,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + size])
    metadata, tensors = header.pop("__metadata__", {}), {}
    for name, entry in header.items():
        begin, end = (8 + size + n for n in entry["data_offsets"])
        data, kind = blob[begin:end], entry["dtype"]
        if kind == "BF16":
            array = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            array = np.frombuffer(data, {v: k for k, v in _NAMES.items()}[kind])
            array = array if kind[0] == "U" or kind in ("I32", "I64") else array.astype(np.float32)
        tensors[name] = array.reshape(entry["shape"])
    for name in [n for n in tensors if n.endswith(".scale")]:
        weight = name[: -len(".scale")]
        scale = tensors.pop(name)
        tensors[weight] = tensors[weight] * scale.reshape(-1, *[1] * (tensors[weight].ndim - 1))
    return tensors, metadata
