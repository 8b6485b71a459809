"""The messages of steno.v1, made from the .proto files when they are first needed.

They live in a pool of their own, so that Google's package, or another version of these files, may be
in the same program.
"""

import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any, List

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FILE = "steno/v1/speech.proto"
# google/protobuf/duration.proto and its like lie beside some compilers, inside others.
INCLUDE = "/usr/include"


def _proto_folder() -> pathlib.Path:
    """$STENO_PROTO, or that of the source tree this file is in."""
    named = os.environ.get("STENO_PROTO")
    folder = pathlib.Path(named) if named else pathlib.Path(__file__).resolve().parents[3] / "proto"
    if not (folder / FILE).exists():
        raise ImportError(f"{folder} has no {FILE}: STENO_PROTO names the folder that has")
    return folder


def _compiler() -> List[str]:
    if shutil.which("protoc"):
        return ["protoc"]
    if importlib.util.find_spec("grpc_tools"):
        return [sys.executable, "-m", "grpc_tools.protoc"]
    raise ImportError("neither protoc nor the package grpc_tools is installed")


@functools.lru_cache(maxsize=None)
def _pool() -> Any:
    """All that speech.proto needs, and it."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "set")
        subprocess.run(
            [*_compiler(), "-I", str(_proto_folder()), "-I", INCLUDE, "--include_imports",
             f"--descriptor_set_out={out}", FILE], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


@functools.lru_cache(maxsize=None)
def message(name: str) -> Any:
    """The class of a message, by its full name."""
    descriptor = _pool().FindMessageTypeByName(name)
    # Protobuf 4.22 has the one, older versions the other.
    get_class = getattr(message_factory, "GetMessageClass", None)
    return (get_class(descriptor) if get_class
            else message_factory.MessageFactory(_pool()).GetPrototype(descriptor))
