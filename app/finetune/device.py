"""What a training runs on: graphics card or processor, in which numbers, how fast, and with how much room."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

_PROBE = (512, 1024, 4096)
"""Rows and columns of the product that is timed: about a layer's of a small model at the length of a prompt."""

_PROBE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Device:
    """The device and its numbers: bf16 where the processor has it, which halves memory and time."""

    name: str
    dtype: torch.dtype

    @classmethod
    def found(cls) -> Device:
        """The graphics card where there is one that CUDA knows, else the processor."""
        if torch.cuda.is_available():
            good = torch.cuda.is_bf16_supported()
            return cls(torch.cuda.get_device_name(), torch.bfloat16 if good else torch.float16)
        features = torch.cpu.get_capabilities()
        good = features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16")
        return cls("cpu", torch.bfloat16 if good else torch.float32)

    @property
    def is_cuda(self) -> bool:
        return self.name != "cpu"

    @property
    def bytes_a_weight(self) -> int:
        return self.dtype.itemsize

    def flops(self) -> float:
        """Floating point operations a second of a matrix product, as timed now; takes a third of a second."""
        place = "cuda" if self.is_cuda else "cpu"
        rows, inner, columns = _PROBE
        one = torch.ones(rows, inner, dtype=self.dtype, device=place)
        two = torch.ones(inner, columns, dtype=self.dtype, device=place)
        self._multiply(one, two)
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < _PROBE_SECONDS:
            self._multiply(one, two)
            done += 1
        return 2 * rows * inner * columns * done / (time.perf_counter() - started)

    def _multiply(self, one: torch.Tensor, two: torch.Tensor) -> None:
        torch.matmul(one, two)
        if self.is_cuda:
            torch.cuda.synchronize()

    def free_memory_mb(self) -> int:
        """Memory that a new process can have now."""
        if self.is_cuda:
            return int(torch.cuda.mem_get_info()[0] // 1_000_000)
        return int(psutil.virtual_memory().available // 1_000_000)


def free_disk_mb(folder: Path) -> int:
    """Room on the disk of a folder, which may be still to be made."""
    there = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    return shutil.disk_usage(there).free // 1_000_000
