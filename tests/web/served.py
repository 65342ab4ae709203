"""One real server for the whole suite: the real embedder and real manuals, with a model that says what a test wants."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pypdfium2

from app.catalogue.database import Sessions, open_database
from app.catalogue.keys import Role
from app.catalogue.tables import DocumentRow, now
from app.cli.client import Client
from app.cli.own_server import own_server
from app.types import DocumentState
from tests.fixtures.adapters import zipped
from tests.fixtures.lora import Shape, a_lora
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model
from tests.fixtures.tiny_chat_model import a_tiny_base
from tests.web.replies import Replies

SESSION_COOKIE = "mqa_session"
MANUALS = Path(__file__).parents[2] / "examples" / "manuals"
EN_MANUAL, ZH_MANUAL = "kestrim-pavo-en.pdf", "kestrim-chengjing-zh.pdf"
LORA = Shape(layers=2, hidden=64, key_values=32, inner=128)
_SETTINGS = {
    "MQA_MIN_FREE_DISK_MB": "0",
    "MQA_SHUTDOWN_SECONDS": "5",
    "MQA_LLM_FIRST_TOKEN_SECONDS": "60",
    "MQA_LLM_TOTAL_SECONDS": "60",
}


@dataclass(slots=True)
class Served:
    """The running server as tests reach it beside the browser: its client has the key of the server's own user."""

    url: str
    client: Client
    folder: Path
    model: ScriptedModel
    replies: Replies
    cookies: dict[Role, str] = field(default_factory=dict)

    def key(self, role: Role) -> tuple[str, str]:
        """Id and secret of a new key."""
        made = self.client.post("/v1/keys", {"name": f"a {role}", "role": role})
        return made["id"], made["secret"]

    def signed_in(self, secret: str) -> str:
        """The cookie of a new session."""
        headers = {"Origin": self.url}
        answer = httpx.post(f"{self.url}/sign-in", data={"key": secret}, headers=headers, trust_env=False)
        assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
        return answer.cookies[SESSION_COOKIE]

    def cookie(self, role: Role) -> str:
        """The session that tests share which do not end it."""
        if role not in self.cookies:
            self.cookies[role] = self.signed_in(self.key(role)[1])
        return self.cookies[role]

    def model_says(self, reply: str | None = None, fault: Fault = Fault.NONE) -> None:
        """Whatever is asked; without a `reply` the one that fits the question. A fault strikes answers alone."""
        self.replies.always = reply
        self.model.fault = fault
        self.model.gone.clear()

    def base(self, name: str, threshold: float | None = None) -> str:
        """The id of a new knowledge base."""
        return str(self.client.post("/v1/knowledge-bases", {"name": name, "threshold": threshold})["id"])

    def upload(self, base: str, name: str, content: bytes) -> str:
        """The id of the document's job."""
        nothing = lambda _: None  # noqa: E731
        sent = self.client.upload_stream(base, name, len(content), io.BytesIO(content), nothing)
        return str(sent["job"]["id"])

    def ended(self, jobs: Sequence[str]) -> list[str]:
        """The ids of the jobs' documents, once all have ended well."""
        documents = []
        for job in jobs:
            *_, last = self.client.job_states(job, every_seconds=0.1)
            assert last["error"] is None, last
            documents.append(str(last["document_id"]))
        return documents

    def adapter(self, name: str) -> str:
        """The id of an adapter that was taken in and is hosted."""
        with tempfile.TemporaryDirectory() as folder:
            archive = an_archive(Path(folder)).read_bytes()
        headers = {"Authorization": f"Bearer {self.key(Role.ADMIN)[1]}"}
        address = f"{self.url}/v1/adapters"
        made = httpx.post(address, params={"name": name}, content=archive, headers=headers, trust_env=False).json()
        self.client.post(f"/v1/adapters/{made['id']}/host", {})
        return str(made["id"])

    def rows(self, base: str, names: Sequence[str]) -> None:
        """Documents that stand in the catalogue alone, as a list shows them; every 25th has failed."""
        engine = open_database(self.folder)
        try:
            with Sessions(engine).begin() as session:
                session.add_all(_row(base, number, name) for number, name in enumerate(names))
        finally:
            engine.dispose()


class Library:
    """Knowledge bases that fill up in the background while tests that need others run."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self._begun: dict[str, tuple[str, list[str]]] = {}

    def begin(self, name: str, files: dict[str, bytes], threshold: float | None = None) -> None:
        """Uploads the files and does not wait for them."""
        base = self.served.base(name, threshold)
        self._begun[name] = base, [self.served.upload(base, file, content) for file, content in files.items()]

    def ready(self, name: str) -> str:
        """The id of the knowledge base, once all its files have been taken in."""
        base, jobs = self._begun[name]
        self.served.ended(jobs)
        return base


def _row(base: str, number: int, name: str) -> DocumentRow:
    failed = number % 25 == 24
    moment = now() - timedelta(minutes=number)
    return DocumentRow(
        id=f"doc-{base[-6:]}{number:010x}",
        knowledge_base_id=base,
        name=name,
        media_type="application/pdf",
        sha256=hashlib.sha256(f"{base} {number}".encode()).hexdigest(),
        bytes=20_000 + number,
        state=DocumentState.FAILED if failed else DocumentState.READY,
        pages=None if failed else 1 + number % 90,
        chunks=None if failed else 3 + number % 200,
        error_code="needs_ocr" if failed else None,
        error_params={"name": name} if failed else {},
        created_at=moment,
        accepted_at=moment,
        ready_at=None if failed else moment,
    )


def an_archive(folder: Path, name: str = "adapter") -> Path:
    """A ZIP file of an adapter for the server's model of toy size."""
    made = a_lora(folder / name, LORA, rank=4, base_model_name_or_path="tiny-base")
    return zipped(made, folder / f"{name}.zip")


def a_scan(page: int, name: str = EN_MANUAL) -> bytes:
    """One page of a manual as a scanner makes it: a PDF of a picture, without text."""
    document = pypdfium2.PdfDocument(MANUALS / name)
    try:
        picture = document[page - 1].render(scale=2.0).to_pil()
    finally:
        document.close()
    out = io.BytesIO()
    picture.convert("RGB").save(out, "PDF", resolution=144)
    return out.getvalue()


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """The server in an empty folder, ready, and its model; both gone at the end of the block."""
    replies = Replies()
    with scripted_model(replies) as model:
        model.struck = replies.is_an_answer
        adapter_base = a_tiny_base(folder.parent / "tiny-base").folder
        settings = {**_SETTINGS, "MQA_LLM_BASE_URL": model.base_url, "MQA_ADAPTER_BASE": str(adapter_base)}
        with own_server(folder, need_model=True, settings=settings) as own:
            yield Served(own.client.url, own.client, folder, model, replies)
