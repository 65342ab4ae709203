"""Two servers and two workers on Postgres, Milvus and S3 beside one process in a folder: same manuals, same hits.

Real manuals are cut into many documents, which are uploaded through both servers; one worker is killed while its jobs
run. The same documents go into an embedded set-up, which is then moved to new stores of the scaled-out kind and back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.client import Client
from app.settings import child_environment
from eval.bench.claims import BenchmarkFailed, Findings
from eval.bench.company_processes import SERVERS, WORKERS, check_once, client_of, end, lose_a_worker, until_ended
from eval.bench.company_stores import EMBEDDED, Place, store_servers
from eval.bench.cutting import Piece, cut
from eval.bench.large import fresh
from eval.bench.server import filled_base, running_server
from eval.question_sets import LabelledQuestion, read
from eval.ranking import first_hit, hit_at, reciprocal_rank

SET = "manuals_gold"
MOST_APART = 0.01
"""By which hit@5 of two set-ups may differ."""

MIGRATION_QUESTIONS = 100
_HITS = 30
_BASE = "manuals"


@dataclass(frozen=True)
class Asked:
    """What a set-up found for every question: places of the first right page, and which passages, best first."""

    ranks: tuple[int | None, ...]
    passages: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def hit_at_5(self) -> float:
        return hit_at(self.ranks, 5)

    def shown(self) -> str:
        return (
            f"hit@1 {hit_at(self.ranks, 1):.3f}, hit@5 {self.hit_at_5:.3f}, MRR@10 {reciprocal_rank(self.ranks):.3f}"
            f" ({len(self.ranks)} questions)"
        )

    def same_first(self, other: Asked) -> int:
        """Questions whose first passage is the same one."""
        return sum(one[:1] == two[:1] for one, two in zip(self.passages, other.passages, strict=True))


@dataclass(frozen=True)
class Material:
    """The documents, and the questions that are put to them."""

    files: tuple[Path, ...]
    pieces: dict[str, Piece]
    questions: tuple[LabelledQuestion, ...]

    @classmethod
    def of(cls, data: Path, work: Path, count: int) -> Material:
        """All manuals, cut into `count` documents."""
        made = cut(sorted((data / "pdf").glob("*.pdf")), count, work / f"documents-{count}")
        asked = read(data / "sets" / SET / "qa.jsonl").questions
        questions = tuple(one for one in asked if one.answerable and one.pages())
        return cls(tuple(path for _, path in made), {piece.name: piece for piece, _ in made}, questions)

    @property
    def pages(self) -> int:
        return sum(piece.pages for piece in self.pieces.values())

    def ask(self, client: Client, base: str) -> Asked:
        """Puts every question."""
        ranks, passages = [], []
        for question in self.questions:
            body = {"question": question.question, "limit": _HITS, "threshold": -1.0}
            hits = client.post(f"/v1/knowledge-bases/{base}/search", body)["hits"]
            ranks.append(first_hit([page for hit in hits for page in self._pages_of(hit)], question.pages()))
            passages.append(tuple((hit["document_name"], hit["chunk"]["text"]) for hit in hits))
        return Asked(tuple(ranks), tuple(passages))

    def _pages_of(self, hit: dict[str, Any]) -> list[tuple[str, int]]:
        chunk, piece = hit["chunk"], self.pieces[hit["document_name"]]
        return [piece.page(number) for number in range(chunk["page_start"], chunk["page_end"] + 1)]


def measure(data: Path, work: Path, count: int) -> Findings:
    """All of it with `count` documents; raises `BenchmarkFailed` where the rest makes no sense any more."""
    found = Findings()
    material = Material.of(data, work / "company", count)
    found.add("documents", f"{len(material.files)} of {material.pages} pages")
    run = fresh(work / "company" / f"run-{count}")
    with store_servers(run) as servers:
        scaled = _scaled_out(servers.place("first"), material, found)
        embedded, base = _embedded(run / "embedded", material, found)
        _compare("embedded against scaled out", embedded, scaled, found)
        source = {**EMBEDDED, "MQA_DATA_DIR": str(run / "embedded")}
        moved = servers.place("second")
        _migrate("embedded to scaled out", source, moved.settings("api-1"), run, found)
        with_servers = _asked_of_one_server(moved, material, base)
        found.add("hit rate, moved to scaled out", with_servers.shown())
        _compare("moved to scaled out against embedded", with_servers, embedded, found)
        target = {**EMBEDDED, "MQA_DATA_DIR": str(run / "back")}
        _migrate("scaled out to embedded", moved.settings("api-1"), target, run, found)
        with running_server(run / "back") as server:
            back = material.ask(server.client, base)
        found.add("hit rate, moved back", back.shown())
        _compare("moved back against embedded", back, embedded, found)
    return found


# --- scaled out -------------------------------------------------------------------------------------------------------


def _scaled_out(place: Place, material: Material, found: Findings) -> Asked:
    company = place.company()
    try:
        for duty, name in (*(("api", name) for name in SERVERS), *(("worker", name) for name in WORKERS)):
            company.start(duty, name)
        company.wait()
        clients = [client_of(company, name) for name in SERVERS]
        base = str(clients[0].post("/v1/knowledge-bases", {"name": _BASE})["id"])
        started = time.monotonic()
        for number, path in enumerate(material.files):
            clients[number % 2].upload(base, path, lambda _: None)
        found.add("uploaded through two servers in turn, s", round(time.monotonic() - started))
        lose_a_worker(company, len(material.files), found)
        until_ended(company, len(material.files))
        found.add("from the first upload to all ready, s", round(time.monotonic() - started))
        check_once(company, clients[1], len(material.files), found)
        asked = [material.ask(client, base) for client in clients]
        same = sum(one == two for one, two in zip(asked[0].passages, asked[1].passages, strict=True))
        total = len(material.questions)
        found.add("questions with the same hits on both servers", same, f"all {total}", met=same == total)
        found.add("hit rate, scaled out", asked[0].shown())
        return asked[0]
    finally:
        end(company)


# --- embedded, and moved ----------------------------------------------------------------------------------------------


def _embedded(folder: Path, material: Material, found: Findings) -> tuple[Asked, str]:
    """What one process finds that has read the same documents itself, and the id of its knowledge base."""
    started = time.monotonic()
    with running_server(folder) as server:
        base = filled_base(server.client, _BASE, list(material.files))
        found.add("the same documents in one process, s", round(time.monotonic() - started))
        asked = material.ask(server.client, base)
        documents = server.client.get(f"/v1/knowledge-bases/{base}/documents", limit=500)["documents"]
    ready = sum(document["state"] == "ready" for document in documents)
    found.add("ready there", ready, f"all {len(material.files)}", met=ready == len(material.files))
    found.add("passages there", sum(document["chunks"] for document in documents))
    found.add("hit rate, embedded", asked.shown())
    return asked, base


def _asked_of_one_server(place: Place, material: Material, base: str) -> Asked:
    company = place.company()
    try:
        company.start("api", SERVERS[0])
        company.wait()
        return material.ask(client_of(company, SERVERS[0]), base)
    finally:
        end(company)


def _compare(what: str, one: Asked, other: Asked, found: Findings) -> None:
    apart = abs(one.hit_at_5 - other.hit_at_5)
    found.add(f"hit@5 apart, {what}", round(apart, 3), f"at most {MOST_APART}", met=apart <= MOST_APART + 1e-9)
    found.add(f"questions with the same first passage, {what}", one.same_first(other))


def _migrate(what: str, source: dict[str, str], target: dict[str, str], folder: Path, found: Findings) -> None:
    """Runs `manualqa migrate` as a user does; raises `BenchmarkFailed` where it refuses."""
    file = folder / "target.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}='{value}'\n" for name, value in target.items()), encoding="utf-8")
    command = ["migrate", "--to", str(file), "--questions", str(MIGRATION_QUESTIONS), "--json"]
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "app.cli", *command],
        env=child_environment(**source, MQA_LANGUAGE="en"),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    if done.returncode not in (0, 1) or not done.stdout:
        raise BenchmarkFailed(f"{what}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout)
    found.add(f"migration, {what}, s", round(seconds))
    found.add(f"both sides agree, {what}", said["agrees"], "yes", met=bool(said["agrees"]))
    found.add(f"compared, {what}", _parts(said["parts"]))
    answers = said["answers"]
    alike = f"{answers['same_first']} the same first, {answers['same_order']} the same first eight in order"
    found.add(f"its {answers['asked']} questions, {what}", f"{answers['different']} different; {alike}")


def _parts(parts: Sequence[dict[str, Any]]) -> str:
    """How many of each kind, and how many of them differ."""
    kinds = dict.fromkeys(part["part"] for part in parts)
    counted = {kind: [part for part in parts if part["part"] == kind] for kind in kinds}
    shown = (
        f"{sum(part['source'] for part in some)} {kind}, {sum(part['different'] for part in some)} different"
        for kind, some in counted.items()
    )
    return "; ".join(shown)
