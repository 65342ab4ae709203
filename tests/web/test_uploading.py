"""Bringing files in: many at once, folders, progress, reasons of failures, duplicates, and a reload in the middle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.fixtures.pdfs import a_pdf, a_pdf_encrypted_with_aes
from tests.web.browser import EN_DESKTOP, ZH_PHONE
from tests.web.looks import looks
from tests.web.person import Person
from tests.web.served import Served

pytestmark = [pytest.mark.weights, pytest.mark.usefixtures("quiet")]  # else files wait behind those of others
look = looks(EN_DESKTOP, ZH_PHONE)  # both languages and both screens

_DROP = """async ([files, target]) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) transfer.items.add(new File([text], name, { type: "text/markdown" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
SLOW_BYTES_PER_SECOND = 400_000


def a_manual(number: int, bytes_more: int = 0) -> bytes:
    """A one-page PDF that is like no other of the same test, and longer by so many bytes that nobody reads."""
    return a_pdf([f"Pump P-{number}\nThe pump P-{number} needs {number} bar."]) + b"\n%" + b"x" * bytes_more


def written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def new_base(person: Person, name: str) -> str:
    base = person.served.base(f"{name} {person.look}")
    person.open(f"/kb/{base}/documents")
    return base


def row(person: Person, name: str) -> Locator:
    return person.by("upload-row").filter(has_text=name)


def state(person: Person, name: str) -> Locator:
    return person.by("doc-row").filter(has_text=name).get_by_test_id("doc-state")


def test_many_files_at_once_and_the_reason_of_each_that_fails(person: Person, files: Path) -> None:
    new_base(person, "many")
    good = {f"pump-{number}.pdf": a_manual(number) for number in range(1, 5)}
    bad = {
        "damaged.pdf": a_manual(9)[:200],
        "locked.pdf": a_pdf_encrypted_with_aes(a_manual(10), "secret"),
        "program.exe": b"MZ" + bytes(200),
        "empty.txt": b"",
    }
    person.watch.expect("status of 4(15|22)")
    person.by("upload-input").set_input_files(written(files, good | bad))
    for name in good:
        expect(state(person, name)).to_have_attribute("data-state", "ready")
    for name in bad:
        expect(row(person, name)).to_have_attribute("data-state", "failed")
    expect(row(person, "locked.pdf")).to_contain_text(person.look.of(en="password", zh="密码"))
    expect(row(person, "program.exe")).to_contain_text(".pdf")


def test_the_same_file_again_is_said(person: Person, files: Path) -> None:
    new_base(person, "same")
    content = a_manual(1)
    first, second = written(files, {"one.pdf": content, "other-name.pdf": content})
    person.by("upload-input").set_input_files(first)
    expect(state(person, "one.pdf")).to_have_attribute("data-state", "ready")
    person.by("upload-input").set_input_files(second)
    expect(row(person, "other-name.pdf")).to_have_attribute("data-state", "duplicate")
    expect(person.by("doc-row")).to_have_count(1)


def test_files_are_dropped_on_the_page(person: Person) -> None:
    new_base(person, "dropped")
    dropped = [[f"note-{n}.md", f"# Note {n}\n\nThe lamp L-{n} has {n} W.\n"] for n in range(3)]
    target = person.page.locator("main").element_handle()
    person.page.evaluate(_DROP, [dropped, target])
    for name, _ in dropped:
        expect(state(person, name)).to_have_attribute("data-state", "ready")


def test_a_folder_is_taken_with_what_is_in_it(person: Person, files: Path) -> None:
    if person.look.screen == "phone":
        pytest.skip("phones have no folders to choose")
    new_base(person, "folder")
    written(files, {"manuals/a.pdf": a_manual(1), "manuals/more/b.pdf": a_manual(2)})
    person.by("upload-folder").set_input_files(files / "manuals")
    for name in ("a.pdf", "b.pdf"):
        expect(state(person, name)).to_have_attribute("data-state", "ready")


def test_a_reload_in_the_middle_loses_nothing(person: Person, files: Path, served: Served) -> None:
    """Six files on a slow line; the page is loaded anew while the first ones are being sent."""
    base = new_base(person, "reloaded")
    names = [f"slow-{number}.pdf" for number in range(6)]
    slow = {name: a_manual(number, 150_000) for number, name in enumerate(names)}
    session = person.context.new_cdp_session(person.page)
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW_BYTES_PER_SECOND}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", line)
    person.by("upload-input").set_input_files(written(files, slow))
    expect(person.page.locator('[data-testid="upload-row"][data-state="sending"]').first).to_be_visible()
    person.watch.expect("ERR_ABORTED|ERR_NETWORK")
    person.page.reload()
    session.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": -1})
    for name in names:
        expect(state(person, name)).to_have_attribute("data-state", "ready")
    found = served.client.get(f"/v1/knowledge-bases/{base}/documents")["documents"]
    assert sorted(document["name"] for document in found) == names


def test_an_upload_is_cancelled_and_tried_again(person: Person, files: Path) -> None:
    new_base(person, "cancelled")
    session = person.context.new_cdp_session(person.page)
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", line)
    person.by("upload-input").set_input_files(written(files, {"long.pdf": a_manual(1, 1_000_000)}))
    expect(row(person, "long.pdf")).to_have_attribute("data-state", "sending")
    expect(row(person, "long.pdf")).to_contain_text(re.compile(r"\d+ ?%"))
    row(person, "long.pdf").get_by_test_id("upload-cancel").click()
    expect(row(person, "long.pdf")).to_have_attribute("data-state", "cancelled")
    session.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": -1})
    row(person, "long.pdf").get_by_test_id("upload-retry").click()
    expect(state(person, "long.pdf")).to_have_attribute("data-state", "ready")
