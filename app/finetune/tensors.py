"""The tensors of a safetensors file: its head read strictly, its numbers looked at, nothing of it executed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from app.errors import AdapterInvalid
from app.finetune.adapter_config import strict_json

MOST_HEADER_BYTES: Final = 2_000_000
"""The head of an adapter of 80 layers with every projection has about 150 kB."""
_SIZES: Final = {"F32": 4, "F16": 2, "BF16": 2}
_READ_NUMBERS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its shape, and its bytes from `start` to `end` of the file's data."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_tensors(file: BinaryIO) -> tuple[dict[str, Tensor], int]:
    """The tensors by name, and where the data begins; raises `AdapterInvalid`.

    The tensors cover the data without gap or overlap, as the format demands, so nothing else is in the file.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or not 2 <= length <= MOST_HEADER_BYTES or 8 + length > size:
        raise AdapterInvalid(reason="adapter_model.safetensors has a head of an impossible length")
    try:
        found = strict_json(file.read(length))
    except ValueError as error:
        raise AdapterInvalid(repr(error), reason="adapter_model.safetensors has a head that is no JSON") from error
    if not isinstance(found, dict):
        raise AdapterInvalid(reason="adapter_model.safetensors has a head that makes no sense")
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise AdapterInvalid(reason="adapter_model.safetensors has a head that makes no sense")
    tensors = {name: _tensor(entry) for name, entry in found.items()}
    _require_whole(tensors, size - 8 - length)
    return tensors, 8 + length


def _tensor(entry: object) -> Tensor:
    match entry:
        case {"dtype": str(kind), "shape": [*shape], "data_offsets": [int(start), int(end)], **more} if not more:
            if kind not in _SIZES:
                raise AdapterInvalid(reason="a tensor of it has another type than F32, F16 or BF16")
            sizes = [size for size in shape if isinstance(size, int) and not isinstance(size, bool) and size > 0]
            if len(sizes) == len(shape) <= 2:
                return Tensor(kind, tuple(sizes), start, end)
    raise AdapterInvalid(reason="adapter_model.safetensors has a head that makes no sense")


def _require_whole(tensors: Mapping[str, Tensor], size: int) -> None:
    place = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.start):
        if tensor.start != place or tensor.end - tensor.start != _bytes(tensor):
            raise AdapterInvalid(reason="adapter_model.safetensors has tensors that overlap, or lie apart")
        place = tensor.end
    if place != size:
        raise AdapterInvalid(reason="adapter_model.safetensors is cut off, or has more in it than its tensors")


def _bytes(tensor: Tensor) -> int:
    count = _SIZES[tensor.kind]
    for size in tensor.shape:
        count *= size
    return count


def is_finite(file: BinaryIO, begin: int, tensor: Tensor) -> bool:
    """Whether every number of the tensor is one; `begin` is where the data begins."""
    file.seek(begin + tensor.start)
    return all(_finite(piece, tensor.kind) for piece in _pieces(file, tensor))


def _pieces(file: BinaryIO, tensor: Tensor) -> Iterator[bytes]:
    left = tensor.end - tensor.start
    while left:
        piece = file.read(min(left, _READ_NUMBERS * 4))
        if not piece:
            raise AdapterInvalid(reason="adapter_model.safetensors is cut off, or has more in it than its tensors")
        left -= len(piece)
        yield piece


def _finite(piece: bytes, kind: str) -> bool:
    """Infinities and what is no number have every bit of the exponent set."""
    numbers: NDArray[np.uint32] | NDArray[np.uint16]
    match kind:
        case "F32":
            numbers, exponent = np.frombuffer(piece, "<u4"), 0x7F800000
        case "F16":
            numbers, exponent = np.frombuffer(piece, "<u2"), 0x7C00
        case _:
            numbers, exponent = np.frombuffer(piece, "<u2"), 0x7F80
    return not bool(((numbers & exponent) == exponent).any())
