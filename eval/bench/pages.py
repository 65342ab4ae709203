"""Pages as people see them: how soon an image and its boxes are there, and how many quotes are found on their page.

Through the API in this process; no question is asked, so that an embedder which says nothing is enough.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import structlog
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.ingest.rendering.boxes import Box
from app.parts import Parts
from app.ports import Vectors
from app.settings import Settings
from app.text.quoting import letters_of
from app.wiring.services import build_services
from eval.bench.large import fresh
from eval.bench.server import NO_MODEL

SET = "manuals_gold"
WIDTH = 1200
_TOKEN = "bench"  # noqa: S105 - of a server that nobody else can reach
_HELD = 0.95
_POLL_SECONDS = 0.5
_PATIENT_SECONDS = 300.0
"""For reading, which is not measured here, on a machine that does other work."""


class SilentEmbedder:
    """Port `Embedder`: the same vector for every text."""

    fingerprint = "silent@1"
    dimensions = 8
    max_tokens = 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 3 for text in texts]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return np.full((len(texts), self.dimensions), self.dimensions**-0.5, np.float32)

    embed_passages = embed_queries


@dataclass(frozen=True, slots=True)
class Quote:
    """The words of a page that state an answer; any one of `pages` has them."""

    language: str
    manual: str
    pages: tuple[int, ...]
    text: str


@dataclass(slots=True)
class _Times:
    """Seconds of each kind of request."""

    taken: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.taken.setdefault(what, []).append(time.perf_counter() - begun)

    def row(self, what: str) -> dict[str, Any]:
        p50, p95, most = (round(1000 * float(value), 1) for value in np.percentile(self.taken[what], [50, 95, 100]))
        return {"what": what, "n": len(self.taken[what]), "p50 ms": p50, "p95 ms": p95, "max ms": most}


def measure(data: Path, work: Path) -> list[dict[str, Any]]:
    """Rows of times, then a row a language: quotes, how many are found, and how many of those boxes hold the quote."""
    quotes = list(_quotes(data / "sets" / SET / "qa.jsonl"))
    times = _Times()
    found: Counter[tuple[str, str]] = Counter()
    with _server(fresh(work / "pages")) as client:
        addresses = _uploaded(client, data / "pdf", sorted({quote.manual for quote in quotes}))
        _time_images(client, addresses, quotes, times)
        for quote in quotes:
            found[quote.language, "quotes"] += 1
            boxes = _boxes_of(client, addresses[quote.manual], quote, times)
            found[quote.language, "found"] += bool(boxes)
            found[quote.language, "right"] += _hold(data / "pdf" / quote.manual, boxes, quote.text)
    rows = [times.row(what) for what in times.taken]
    for language in sorted({quote.language for quote in quotes}):
        asked = found[language, "quotes"]
        shares = {what: round(found[language, what] / asked, 3) for what in ("found", "right")}
        rows.append({"what": f"quotes, {language}", "n": asked, **shares})
    return rows


def _quotes(path: Path) -> Iterator[Quote]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["answerable"] and row.get("evidence"):
            yield Quote(row["lang"], Path(row["source_file"]).name, tuple(row["pages"]), row["evidence"])


@contextmanager
def _server(folder: Path) -> Iterator[TestClient]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder.mkdir(parents=True)
    settings = Settings(data_dir=folder, ocr=False, parse_seconds=_PATIENT_SECONDS, parse_page_seconds=_PATIENT_SECONDS)
    model = OpenAICompatibleModel("none", FixedEndpoint(NO_MODEL), first_token_seconds=5, total_seconds=5)
    services = build_services(settings, _TOKEN, Parts(SilentEmbedder(), model))
    with TestClient(create_app(services), headers={"Authorization": f"Bearer {_TOKEN}"}) as client:
        while client.get("/readyz").status_code == 503:
            time.sleep(_POLL_SECONDS)
        yield client


def _uploaded(client: TestClient, folder: Path, manuals: list[str]) -> dict[str, str]:
    """Addresses of the manuals' pages, once all are ready."""
    base = client.post("/v1/knowledge-bases", json={"name": "pages"}).raise_for_status().json()["id"]
    documents = f"/v1/knowledge-bases/{base}/documents"
    sent = {
        name: client.post(documents, params={"name": name}, content=(folder / name).read_bytes()).json()
        for name in manuals
    }
    for name, upload in sent.items():
        while (job := client.get(f"/v1/jobs/{upload['job']['id']}").json())["ended_at"] is None:
            time.sleep(_POLL_SECONDS)
        if job["error"]:
            raise RuntimeError(f"{name}: {job['error']['message']}")
    return {name: f"{documents}/{upload['document']['id']}/pages" for name, upload in sent.items()}


def _time_images(client: TestClient, addresses: Mapping[str, str], quotes: list[Quote], times: _Times) -> None:
    """Each labelled page once fresh, page by page of another manual, and once from the cache."""
    pages = list(dict.fromkeys((quote.pages[0], quote.manual) for quote in quotes))
    for kind in ("first image", "cached image"):
        for page, manual in sorted(pages):
            with times.of(kind):
                client.get(f"{addresses[manual]}/{page}/image", params={"width": WIDTH}).raise_for_status()


def _boxes_of(client: TestClient, address: str, quote: Quote, times: _Times) -> dict[int, list[Box]]:
    """Boxes on the pages that have the quote."""
    found = {}
    for page in quote.pages:
        with times.of("boxes of a quote"):
            answer = client.post(f"{address}/{page}/boxes", json={"quote": quote.text}).raise_for_status().json()
        if answer["found"]:
            found[page] = answer["boxes"]
        with times.of("boxes of chunks"):
            client.get(f"{address}/{page}/chunks").raise_for_status()
    return found


# --- do the boxes hold the quote? -------------------------------------------------------------------------------------


def _hold(path: Path, boxes: Mapping[int, list[Box]], quote: str) -> bool:
    """Whether pdfium, asked for the text within the boxes, gives the letters of the quote."""
    wanted = Counter(letters_of(quote).text)
    for page, its in boxes.items():
        got = Counter(letters_of("".join(_text_within(path, page, box) for box in its)).text)
        if (wanted & got).total() >= _HELD * wanted.total():
            return True
    return False


def _text_within(path: Path, number: int, box: Box) -> str:
    page = _document(path)[number - 1]
    left, bottom, right, top = page.get_bbox()
    wide, high = right - left, top - bottom
    text_page = page.get_textpage()
    edges = left + box[0] * wide, top - box[3] * high, left + box[2] * wide, top - box[1] * high
    return str(text_page.get_text_bounded(*edges))


@cache
def _document(path: Path) -> Any:  # noqa: ANN401 - untyped library
    return pypdfium2.PdfDocument(path)
