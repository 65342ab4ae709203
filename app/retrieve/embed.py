"""The embedder that runs in this process: any sentence-transformers folder, tuned for a CPU, offline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import structlog

from app.errors import EmbedderUnavailable
from app.ports import Vectors
from app.retrieve.graphs import Graphs
from app.retrieve.prefixes import Prefixes
from app.retrieve.turns import Turns
from app.settings import share_cores

if TYPE_CHECKING:
    import torch

log = structlog.get_logger(__name__)

BATCH_TOKENS = 2048
"""Most tokens of one batch, padding included: eight rows of 512 need 200 MB while they are read and are no faster."""

WIDTH_STEP = 16
"""Batches are padded to a multiple of it, since the kernels made for every width that occurs are kept."""

COUNT_SLICE = 256
"""Texts counted in one turn, so that a long document leaves turns to others."""

_Result = TypeVar("_Result")


class _InTurn(Protocol):
    def __call__(self, work: Callable[[], _Result]) -> _Result: ...


class SentenceTransformerEmbedder:
    """Vectors from the model in `folder`, which must be complete: nothing is ever fetched.

    The model is loaded at the first use or by `load`, once, whichever thread comes first. Its layers run in bfloat16
    where this machine multiplies that faster than float32, the pooling always in float32 (cosines differ by 2e-5).
    Texts are sorted by length into batches of at most `batch`, so that little is spent on padding. A text longer than
    the model reads is halved until its parts fit, and its vector is their mean by length: nothing is cut off unseen.
    Threads take turns: passages batch by batch, standing aside for questions between two layers of the model.
    """

    def __init__(
        self, name: str, revision: str, folder: Path, prefixes: Prefixes, batch: int = 8, threads: int | None = None
    ) -> None:
        self._name = name
        self._revision = revision
        self._folder = folder
        self._prefixes = prefixes
        self._batch = batch
        self._threads = threads
        self._turns = Turns()
        self._loading = threading.Lock()
        self._model: _Model | None = None

    @property
    def fingerprint(self) -> str:
        return f"{self._name}@{self._revision}{self._prefixes.mark}"

    @property
    def dimensions(self) -> int:
        return self.load().dimensions

    @property
    def max_tokens(self) -> int:
        """The longest passage read in one piece, in tokens as `count_tokens` counts them."""
        return self.load().max_tokens

    def load(self) -> _Model:
        """Load the model if it is not loaded yet; raises `EmbedderUnavailable` if that fails."""
        with self._loading:
            if self._model is None:
                started = time.perf_counter()
                self._model = _Model(self._folder, self._threads, self._turns.stand_aside)
                log.info(
                    "embedder_loaded",
                    model=self._name,
                    dtype=self._model.dtype,
                    seconds=round(time.perf_counter() - started, 2),
                )
            return self._model

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as a passage: with the model's prefix and special tokens."""
        model = self.load()
        counts: list[int] = []
        for start in range(0, len(texts), COUNT_SLICE):
            some = [self._prefixes.passage + text for text in texts[start : start + COUNT_SLICE]]
            counts += [len(ids) for ids in self._turns.passages(partial(model.token_ids, some))]
        return counts

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._turns.question(lambda: self._embed(self._prefixes.query, texts, _at_once, in_one_go=True))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return self._embed(self._prefixes.passage, texts, self._turns.passages)

    def _embed(self, prefix: str, texts: Sequence[str], in_turn: _InTurn, *, in_one_go: bool = False) -> Vectors:
        model = self.load()
        vectors = np.zeros((len(texts), model.dimensions), np.float32)
        owners, rows = in_turn(partial(_in_pieces, model, prefix, texts))
        for batch in _batches(rows, self._batch):
            read = partial(model.forward, [rows[i] for i in batch], in_one_go=in_one_go)
            for i, vector in zip(batch, in_turn(read), strict=True):
                vectors[owners[i]] += vector * len(rows[i])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise EmbedderUnavailable("a vector without length or not a number", reason="it gave an unusable vector")
        unit: Vectors = vectors / norms
        return unit


def _in_pieces(model: _Model, prefix: str, texts: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """Token ids of pieces that the model can read, and for each the index of the text that it belongs to."""
    owners: list[int] = []
    rows: list[list[int]] = []
    waiting = list(enumerate(texts))
    while waiting:
        halves: list[tuple[int, str]] = []
        for (owner, text), ids in zip(waiting, model.token_ids([prefix + text for _, text in waiting]), strict=True):
            if len(ids) <= model.max_tokens or len(text) < 2:
                owners.append(owner)
                rows.append(ids[: model.max_tokens])
            else:
                middle = len(text) // 2
                halves += [(owner, text[:middle]), (owner, text[middle:])]
        waiting = halves
    return owners, rows


def _at_once(work: Callable[[], _Result]) -> _Result:
    return work()


def _batches(rows: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Indices of rows of similar length, at most `most` and about `BATCH_TOKENS` of them together, shortest first."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and (len(batch) == most or (len(batch) + 1) * len(rows[i]) > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


class _Model:
    """The only place that knows torch, transformers and sentence-transformers."""

    def __init__(self, folder: Path, threads: int | None, between_layers: Callable[[], None]) -> None:
        if not (folder / "modules.json").is_file():
            raise EmbedderUnavailable(f"no modules.json in {folder}", reason="its folder has no embedding model")
        share_cores()
        try:
            import torch  # noqa: PLC0415 - seconds to load, and these all
            from safetensors import SafetensorError  # noqa: PLC0415
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415
            from transformers.utils import logging as transformers_logging  # noqa: PLC0415
        except ImportError as error:
            raise EmbedderUnavailable(str(error), reason="sentence-transformers is not installed") from error
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            device = "cuda" if torch.cuda.is_available() else "cpu"
            dtype = _fastest_dtype(torch.device(device))
            model = SentenceTransformer(
                str(folder), device=device, local_files_only=True, model_kwargs={"dtype": dtype}
            ).eval()
            tokenizer = model.tokenizer.backend_tokenizer  # itself: a copy of a multilingual one takes 290 MB
        except (OSError, ValueError, KeyError, AttributeError, RuntimeError, SafetensorError) as error:
            raise EmbedderUnavailable(str(error), reason="its files could not be loaded") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        model.requires_grad_(False)
        for module in model.modules():
            if next(module.parameters(recurse=False), None) is not None:
                module.register_forward_pre_hook(lambda *_: between_layers())
        self._torch = torch
        self._layers = list(model)
        for layer in self._layers[1:]:
            layer.float()
        self._device = device
        self._graphs = Graphs(self._read)
        self._tokenizer = tokenizer
        self._pad = int(model.tokenizer.pad_token_id or 0)
        self.dtype = str(dtype).removeprefix("torch.")
        self.max_tokens = int(model.max_seq_length or 512)
        self.dimensions = int(model.get_embedding_dimension() or 0)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens; nothing is cut."""
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # no lone surrogates
        if len(clean) == 1:  # in this thread: the tokenizer's own threads may be at work on many passages
            return [self._tokenizer.encode(clean[0]).ids]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(clean)]

    def forward(self, rows: Sequence[Sequence[int]], *, in_one_go: bool) -> Vectors:
        """One vector for each row of token ids; rows of similar length belong together.

        In one go nothing is called between two layers, and a short row is read by a graph.
        """
        torch = self._torch
        longest = max(len(row) for row in rows)
        width = min(-(-longest // WIDTH_STEP) * WIDTH_STEP, max(longest, self.max_tokens))
        ids = torch.full((len(rows), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
            mask[i, : len(row)] = 1
        try:
            with torch.inference_mode():
                read = self._graphs.run(ids, mask) if in_one_go and self._device == "cpu" else self._read(ids, mask)
                vectors: Vectors = read.cpu().numpy()
        except RuntimeError as error:
            raise EmbedderUnavailable(str(error), reason="it failed while reading a text") from error
        return vectors

    def _read(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The vectors of rows of token ids, shape (rows, dimensions); the mask is 0 where a row is padded."""
        features: dict[str, Any] = {"input_ids": ids.to(self._device), "attention_mask": mask.to(self._device)}
        for layer in self._layers:
            features = layer(features)
            for key, value in features.items():
                if isinstance(value, self._torch.Tensor) and value.is_floating_point():
                    features[key] = value.float()
        vectors: torch.Tensor = features["sentence_embedding"]
        return vectors


def _fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where it is clearly faster than float32 here: the better of many turns at a layer's multiplication.

    The two take turns, so that what else runs on the machine slows both; about 0.1 s in all.
    """
    import torch  # noqa: PLC0415

    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(15):
        for dtype in best:
            a = torch.ones((512, 384), dtype=dtype, device=device)
            b = torch.ones((384, 1536), dtype=dtype, device=device)
            started = time.perf_counter()
            (a @ b)[0, 0].item()
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return torch.bfloat16 if best[torch.bfloat16] < 0.8 * best[torch.float32] else torch.float32
