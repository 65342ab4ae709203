"""What `manualqa ingest` finds in files, folders and ZIP files, and what it refuses to send."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import sources as module
from app.cli.sources import Refused, Source, Sources
from app.cli.words import WORDS
from tests.fixtures.office import a_zip

MB = 200


def names(paths: list[Path], most_mb: int = MB) -> list[str]:
    with Sources.of(paths, most_mb) as sources:
        return [source.name for source in sources.found]


def content(source: Source) -> bytes:
    with source.open() as stream:
        return b"".join(iter(lambda: stream.read(1000), b""))


def refusal(source: Source) -> str:
    with pytest.raises(Refused) as caught:
        content(source)
    english, chinese = WORDS[caught.value.key]
    assert english.format(**caught.value.params) != chinese.format(**caught.value.params)
    return caught.value.key


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Writes a ZIP file of these members."""

    def write(members: dict[str, str | bytes], name: str = "manuals.zip") -> Path:
        path = tmp_path / name
        path.write_bytes(a_zip(members))
        return path

    return write


def a_tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}", encoding="utf-8")


def test_a_folder_gives_what_can_be_read_and_counts_the_rest(tmp_path: Path) -> None:
    a_tree(tmp_path, "b.md", "a/x.PDF", "a/y.docx", "c/page.htm", "c/photo.png", "c/run.exe")
    with Sources.of([tmp_path], MB) as sources:
        assert [source.name for source in sources.found] == ["b.md", "x.PDF", "y.docx", "page.htm"]
        assert sources.left_out == 2
        assert content(sources.found[0]) == b"text of b.md"


def test_hidden_files_and_those_of_office_are_passed_over(tmp_path: Path) -> None:
    a_tree(tmp_path, ".git/a.md", "__MACOSX/b.md", "~$c.docx", ".d.md", "e.md")
    with Sources.of([tmp_path], MB) as sources:
        assert [source.name for source in sources.found] == ["e.md"]
        assert sources.left_out == 0


def test_a_link_in_a_circle_ends_and_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    a_tree(tmp_path, "in/a.md", "out/b.md")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "out")
    assert names([tmp_path / "in"]) == ["a.md", "b.md"]


def test_a_file_named_itself_is_taken_whatever_its_type_and_only_once(tmp_path: Path) -> None:
    a_tree(tmp_path, "a.xyz", "b.md")
    assert names([tmp_path / "a.xyz", tmp_path / "b.md", tmp_path]) == ["a.xyz", "b.md"]


def test_members_are_streamed_and_nothing_is_unpacked(archive: Callable[..., Path], tmp_path: Path) -> None:
    path = archive({"pumps/p1.md": b"one" * 5000, "pumps/": b"", "photo.jpg": b"x", "__MACOSX/._p1.md": b"x"})
    with Sources.of([path], MB) as sources:
        (source,) = sources.found
        assert (source.name, source.shown, source.size) == ("p1.md", f"{path}/pumps/p1.md", 15000)
        assert content(source) == b"one" * 5000
        assert sources.left_out == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../../etc/x.md", "/etc/x.md", "C:\\etc\\x.md", "..\\..\\x.md", "a/\x1b[2Jx.md"])
def test_a_name_that_leads_elsewhere_is_only_a_name(name: str, archive: Callable[..., Path]) -> None:
    with Sources.of([archive({name: "text"})], MB) as sources:
        (source,) = sources.found
        assert source.name in ("x.md", "[2Jx.md")
        assert ".." not in source.shown
        assert "\x1b" not in source.shown
        assert content(source) == b"text"


def test_a_link_in_an_archive_is_no_file(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.md")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
        out.writestr("real.md", "text")
    assert names([tmp_path / "a.zip"]) == ["real.md"]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("name", ["水泵说明书.md", "打印机/用户手册（第二版）.md"])
def test_names_without_a_mark_are_read_in_their_letters(name: str, encoding: str, tmp_path: Path) -> None:
    assert names([an_archive_with_raw_name(tmp_path, name.encode(encoding))]) == [name.rpartition("/")[2]]


def test_names_in_the_old_code_page_stay(tmp_path: Path) -> None:
    assert names([an_archive_with_raw_name(tmp_path, "Anleitung für Pumpe.md".encode("cp437"))]) == [
        "Anleitung für Pumpe.md"
    ]


def an_archive_with_raw_name(folder: Path, raw: bytes) -> Path:
    """An archive whose one member has this name in bytes, without the mark for UTF-8."""
    placeholder = "x" * len(raw)
    path = folder / "raw.zip"
    path.write_bytes(a_zip({placeholder: "text"}).replace(placeholder.encode(), raw))
    return path


def test_files_of_one_name_get_their_folders_before_it(archive: Callable[..., Path], tmp_path: Path) -> None:
    a_tree(tmp_path / "shelf", "P1/manual.pdf", "P2/manual.pdf", "other.pdf", "x/P1/Manual.pdf")
    path = archive({"manual.pdf": b"%PDF", "en/other.pdf": b"%PDF"})
    found = names([tmp_path / "shelf", path])
    assert found == [
        "shelf - other.pdf",
        "shelf - P1 - manual.pdf",
        "P2 - manual.pdf",
        "x - P1 - Manual.pdf",
        "manuals - manual.pdf",
        "en - other.pdf",
    ]
    assert len({name.casefold() for name in found}) == len(found)


def test_two_members_of_one_path_still_differ(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip({"a.md": "one", "b.md": "two"}).replace(b"b.md", b"a.md"))
    found = names([tmp_path / "a.zip"])
    assert len(set(found)) == 2


def test_what_cannot_be_read_is_refused_by_itself(archive: Callable[..., Path]) -> None:
    path = archive({"good.md": "text", "inner.zip": a_zip({"a.md": "x"}), "big.md": b"x" * 2_000_000, "old.7z": b"7z"})
    with Sources.of([path], 1) as sources:
        outcomes = {source.name: source for source in sources.found}
        assert content(outcomes["good.md"]) == b"text"
        assert refusal(outcomes["inner.zip"]) == "member_is_archive"
        assert refusal(outcomes["old.7z"]) == "member_is_archive"
        assert refusal(outcomes["big.md"]) == "member_too_large"


def test_a_bomb_is_refused_before_it_is_unpacked(archive: Callable[..., Path]) -> None:
    with Sources.of([archive({"zeros.txt": bytes(50_000_000), "small.txt": bytes(900_000)})], MB) as sources:
        outcomes = {source.name: source for source in sources.found}
        assert refusal(outcomes["zeros.txt"]) == "member_bomb"
        assert len(content(outcomes["small.txt"])) == 900_000


def test_a_member_with_a_password_is_refused(tmp_path: Path) -> None:
    data = bytearray(a_zip({"secret.md": "text"}))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with Sources.of([tmp_path / "a.zip"], MB) as sources:
        assert refusal(sources.found[0]) == "member_encrypted"


@pytest.mark.parametrize("stated", [10, 5000])
def test_a_member_that_lies_about_its_size_is_refused_while_it_is_read(stated: int, tmp_path: Path) -> None:
    data = bytearray(a_zip({"a.md": "word " * 500}))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.rindex(mark) + place, stated)
    (tmp_path / "a.zip").write_bytes(data)
    with Sources.of([tmp_path / "a.zip"], MB) as sources:
        assert refusal(sources.found[0]) == "member_broken"


def test_a_damaged_member_is_refused_and_the_next_goes_on(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as writing:
        writing.writestr("a.md", "first text")
        writing.writestr("b.md", "other text")
    (tmp_path / "a.zip").write_bytes(out.getvalue().replace(b"first text", b"fIrst text"))
    with Sources.of([tmp_path / "a.zip"], MB) as sources:
        assert refusal(sources.found[0]) == "member_broken"
        assert content(sources.found[1]) == b"other text"


def test_a_file_that_is_no_archive_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and nothing more")
    a_tree(tmp_path, "b.md")
    with Sources.of([tmp_path], MB) as sources:
        assert refusal(sources.found[0]) == "archive_unreadable"
        assert content(sources.found[1]) == b"text of b.md"


def test_an_archive_of_too_many_entries_is_refused(
    archive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    with Sources.of([archive({f"{n}.md": "x" for n in range(3)})], MB) as sources:
        assert refusal(sources.found[0]) == "archive_too_many"


def test_what_goes_over_the_whole_size_is_refused(
    archive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_UNPACKED_BYTES", 5)
    with Sources.of([archive({"a.md": "four", "b.md": "five"})], MB) as sources:
        assert content(sources.found[0]) == b"four"
        assert refusal(sources.found[1]) == "archive_too_large"
