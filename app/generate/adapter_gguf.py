"""A LoRA adapter as PEFT writes it, in the format of the local model server (GGUF).

Beside the making of training bases the only user of `gguf`. Values are kept as they are, in 32 bits: small ones of a
trained adapter are below what 16 bits hold. The same adapter gives the same bytes.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.errors import AdapterInvalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.float32]]

ARCHITECTURE: Final = "qwen2"
"""The base models that adapters are made for; others name and order their parts in other ways."""

_PARTS: Final = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_NAME = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.weight")


def write_adapter(peft: Path, target: Path) -> None:
    """Writes the adapter in the folder `peft` to the file `target`, whole or not at all.

    Raises `AdapterInvalid` where it changes more than attention and MLP projections, `OSError` as the disk does.
    """
    alpha, tensors = _scale(peft), _tensors(peft)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _write(temporary, alpha, tensors)
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _scale(peft: Path) -> float:
    """The alpha that has the server scale as PEFT does: it divides by the rank, PEFT by its root where `use_rslora`."""
    config = json.loads((peft / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("alpha_pattern") or config.get("rank_pattern") or config.get("use_dora"):
        raise AdapterInvalid(reason="its parts have scales of their own, which the local model server does not know")
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha


def _tensors(peft: Path) -> Tensors:
    """The adapter's matrices by the names that the server has for them; for each `lora_a` there is its `lora_b`."""
    from safetensors import SafetensorError  # noqa: PLC0415 - loads torch
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        loaded = load_file(peft / "adapter_model.safetensors")
    except SafetensorError as error:
        raise AdapterInvalid(str(error), reason="its weights cannot be read") from error
    found = {_server_name(name): tensor.float().numpy() for name, tensor in sorted(loaded.items())}
    halves = {name.rpartition(".")[0] for name in found}
    if not found or {f"{half}.{side}" for half in halves for side in ("lora_a", "lora_b")} != set(found):
        raise AdapterInvalid(reason="its weights are not whole")
    return found


def _server_name(name: str) -> str:
    match = _NAME.fullmatch(name)
    if match is None or match[2] not in _PARTS:
        raise AdapterInvalid(reason=f"the local model server cannot change {name[:120]}")
    return f"blk.{match[1]}.{_PARTS[match[2]]}.weight.lora_{match[3].lower()}"


def _write(path: Path, alpha: float, tensors: Tensors) -> None:
    from gguf import GGUFType, GGUFWriter, Keys  # noqa: PLC0415 - an optional part

    writer = GGUFWriter(path, ARCHITECTURE)
    try:
        writer.add_type(GGUFType.ADAPTER)
        writer.add_string(Keys.Adapter.TYPE, "lora")
        writer.add_float32(Keys.Adapter.LORA_ALPHA, alpha)
        for name, tensor in tensors.items():
            writer.add_tensor(name, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
