"""Takes the pictures of the pages in docs/images: `python -m tests.web.screenshots [FOLDER]`, or `make screenshots`."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect

from app.catalogue.keys import Role
from tests.web.browser import Look, chromium, launched
from tests.web.person import Person
from tests.web.served import EN_MANUAL, MANUALS, ZH_MANUAL, Served, a_scan, serving

FOLDER = Path(__file__).parents[2] / "docs" / "images"
COLOURS = 128
LOOKS = (
    Look("en", "desktop"),
    Look("zh", "desktop", dark=True),
    Look("zh", "phone"),
    Look("en", "phone", dark=True),
)


def ask(person: Person, base: str) -> None:
    """A question with its answer and sources, and one that leans on it."""
    person.open(f"/kb/{base}/ask")
    person.ask(person.talk.question)
    expect(person.by("citation").first).to_be_visible()
    person.ask(person.talk.follow_up)
    expect(person.by("answer").last).to_contain_text(person.talk.second_answer)


def page(person: Person, base: str) -> None:
    """The page behind a citation, with the quoted words boxed."""
    person.open(f"/kb/{base}/ask")
    person.ask(person.talk.question)
    person.by("citation").first.click()
    expect(person.by("viewer-box").first).to_be_visible()
    expect(person.by("viewer-image")).to_have_js_property("complete", True)


def bases(person: Person, base: str) -> None:  # noqa: ARG001 - every picture is taken alike
    """All knowledge bases."""
    person.open("/kb")
    expect(person.by("kb-card").first).to_be_visible()


def documents(person: Person, base: str) -> None:
    """The upload page with its list."""
    person.open(f"/kb/{base}/documents")
    expect(person.by("doc-row").first).to_be_visible()


def settings(person: Person, base: str) -> None:
    """The threshold with a preview of what passes."""
    person.open(f"/kb/{base}/settings")
    person.by("preview-question").fill(person.talk.question)
    person.by("preview-question").press("Enter")
    expect(person.by("preview-hit").first).to_be_visible()
    person.by("threshold").scroll_into_view_if_needed()


def operations(person: Person, base: str) -> None:  # noqa: ARG001 - every picture is taken alike
    """The figures of the last hour."""
    person.open("/operations?period=hour")
    expect(person.by("op-tile").first).to_be_visible()


def reviews(person: Person, base: str) -> None:
    """Answers that wait for somebody to mark them."""
    person.open(f"/reviews?kb={base}")
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()


def compare(person: Person, base: str) -> None:
    """A question that the base model and an adapter answer side by side."""
    person.open(f"/kb/{base}/ask")
    person.by("compare").select_option(index=1)
    person.by("question").fill(person.talk.question)
    person.by("ask").click()
    sides = person.by("compare-side")
    expect(sides).to_have_count(2)
    for number in range(2):
        expect(sides.nth(number).get_by_test_id("citation").first).to_be_visible()


PICTURES: dict[str, Callable[[Person, str], None]] = {
    "bases": bases,
    "documents": documents,
    "ask": ask,
    "page": page,
    "settings": settings,
    "operations": operations,
    "reviews": reviews,
}
PICTURES_WITH_AN_ADAPTER: dict[str, Callable[[Person, str], None]] = {"compare": compare}


def filled(served: Served) -> str:
    """The knowledge base of the pictures; others stand beside it in the list."""
    base = served.base("Kestrim")
    files = {name: (MANUALS / name).read_bytes() for name in (EN_MANUAL, ZH_MANUAL)}
    jobs = [served.upload(base, name, content) for name, content in files.items()]
    other = served.base("Kestrim · scans")
    jobs.append(served.upload(other, "KE-210 error codes.pdf", a_scan(12)))
    served.ended(jobs)
    return base


def taken(person: Person) -> bytes:
    """What is on the screen, as a small PNG."""
    picture = Image.open(io.BytesIO(person.page.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    out = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def take(
    browser: Browser, served: Served, base: str, folder: Path, pictures: dict[str, Callable[[Person, str], None]]
) -> list[str]:
    """Writes the pictures in every look; returns the faults of their pages."""
    faults = []
    for look in LOOKS:
        person = Person.at(browser, served, look, served.cookie(Role.ADMIN))
        for name, show in pictures.items():
            show(person, base)
            path = folder / f"{name}-{look}.png"
            path.write_bytes(taken(person))
            sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")
        faults += person.watch.faults()
        person.context.close()
    return faults


def main(folder: Path) -> int:
    """Writes every picture in every look; tells which page had a fault."""
    program = chromium()
    if program is None:
        sys.stderr.write("There is no Chromium; `make browser` installs it.\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    faults = []
    with tempfile.TemporaryDirectory() as data, serving(Path(data) / "data") as served, launched(program) as browser:
        base = filled(served)
        faults += take(browser, served, base, folder, PICTURES)
        served.adapter("Service desk")
        faults += take(browser, served, base, folder, PICTURES_WITH_AN_ADAPTER)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
