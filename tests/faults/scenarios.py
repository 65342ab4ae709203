"""What users do, each with what is there before it and what must be there after it, however often the server dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.run import OCR_MARKER
from tests.faults.server import FaultServer, Reader
from tests.fixtures.pdfs import a_pdf, a_pdf_of_images

SMALL, PAGES, BIG, SCAN, BROKEN = "kettle.md", "boiler.pdf", "plant.md", "scan.pdf", "broken.pdf"
MARKERS = {SMALL: "zurnikel", PAGES: "fandoril", BIG: "quibexon", SCAN: OCR_MARKER}
"""A word in the passages of each document by which they are all found; in the big one only in some of them."""


def small(version: int = 1, sections: int = 4) -> bytes:
    """A Markdown file whose every section names its version."""
    word = MARKERS[SMALL]
    parts = [
        f"## Part {number} of edition {version}\n\nThe {word} number {number} of edition {version} turns {number * 3} "
        f"times before its lamp goes out, and then it waits for somebody to press the key again for a while.\n"
        for number in range(1, sections + 1)
    ]
    return "\n".join([f"# Kettle, edition {version}\n", *parts]).encode()


def pages(version: int = 1) -> bytes:
    """A PDF of five pages, read in three windows."""
    word = MARKERS[PAGES]
    return a_pdf([f"Sheet {n} of edition {version}: the {word} valve opens at {n * version} bar." for n in range(1, 6)])


def big(version: int = 1) -> bytes:
    """A Markdown file of more passages than are embedded at once; every fifth has the marker."""
    parts = []
    for number in range(1, 76):
        word = MARKERS[BIG] if number % 5 == 0 else "ordinary"
        parts.append(
            f"## Station {number}\n\nStation {number} of edition {version} has one {word} pump with the part code "
            f"P-{number * 17}, which has to be oiled every {number + 3} weeks by a trained person.\n"
        )
    return "\n".join(parts).encode()


def scan() -> bytes:
    """A PDF of five pictures and one page of text."""
    return a_pdf_of_images(5, ("Appendix of the scan without any picture.",))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` gives a base its first contents, `act` is what the server may die of."""

    prepare: Callable[[FaultServer, str], None]
    act: Callable[[FaultServer, str, Reader], None]


def _nothing(server: FaultServer, base: str) -> None:
    assert server.documents(base) == {}


def _two_documents(server: FaultServer, base: str) -> None:
    server.upload(base, SMALL, small())
    server.upload(base, PAGES, pages())


def _ingest(server: FaultServer, base: str, reader: Reader) -> None:  # noqa: ARG001
    for name, content in ((BIG, big()), (PAGES, pages()), (SCAN, scan()), (SMALL, small())):
        server.upload(base, name, content)


def _replace(server: FaultServer, base: str, reader: Reader) -> None:  # noqa: ARG001
    server.upload(base, SMALL, small(2, sections=6))
    server.upload(base, PAGES, pages(2))


def _delete(server: FaultServer, base: str, reader: Reader) -> None:
    documents = server.get(f"/v1/knowledge-bases/{base}/documents")["documents"]
    for document in documents:
        answer = server.call("DELETE", f"/v1/knowledge-bases/{base}/documents/{document['id']}")
        assert answer.status_code in (204, 404), answer.text
        reader.only(document["name"], -1)


def _delete_base(server: FaultServer, base: str, reader: Reader) -> None:
    answer = server.call("DELETE", f"/v1/knowledge-bases/{base}")
    assert answer.status_code in (204, 404), answer.text
    for name in (SMALL, PAGES):
        reader.only(name, -1)


def _cancel(server: FaultServer, base: str, reader: Reader) -> None:  # noqa: ARG001
    """One document is cancelled in the middle and tried again; another is no PDF at all."""
    with server.held_at("chunk.stored") as wait_until_held:
        job = server.upload(base, SMALL, small())["job"]["id"]
        server.upload(base, BROKEN, b"%PDF-1.7\nnothing of the kind\n%%EOF\n")
        wait_until_held()
        answer = server.call("POST", f"/v1/jobs/{job}/cancel")
        assert answer.status_code in (200, 202, 409), answer.text
    assert server.get(f"/v1/jobs/{job}")["state"] == "cancelled"
    server.settle()
    answer = server.call("POST", f"/v1/jobs/{job}/retry")
    assert answer.status_code in (200, 202, 409), answer.text


def _rebuild(server: FaultServer, base: str, reader: Reader) -> None:  # noqa: ARG001
    answer = server.call("POST", f"/v1/knowledge-bases/{base}/rebuild", json={"chunk_size": 500})
    assert answer.status_code in (202, 409), answer.text


SCENARIOS = {
    "ingest": Scenario(_nothing, _ingest),
    "replace": Scenario(_two_documents, _replace),
    "delete": Scenario(_two_documents, _delete),
    "delete_base": Scenario(_two_documents, _delete_base),
    "cancel": Scenario(_nothing, _cancel),
    "rebuild": Scenario(_two_documents, _rebuild),
}
