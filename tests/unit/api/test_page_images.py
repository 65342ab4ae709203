"""Pages as people see them: images, sizes, boxes of quotes and chunks, each for holders of a key and in its scope."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.fixtures.pdfs import a_pdf, a_pdf_of_images
from tests.unit.api.conftest import Api
from tests.unit.api.test_bad_requests import ZH, problem

PAGES = [
    "The pump starts after ten seconds.\nE-04 means that the water tank is empty.",
    "水泵在十秒后启动。\n错误代码表示水箱已空。",
]


@pytest.fixture(scope="module")
def pumps(api: Api) -> str:
    return api.base("pumps")


@pytest.fixture(scope="module")
def manual(api: Api, pumps: str) -> str:
    """The address of a ready PDF of two pages."""
    document = api.ready(pumps, "pump.pdf", a_pdf(PAGES))
    assert document["state"] == "ready"
    return f"/v1/knowledge-bases/{pumps}/documents/{document['id']}"


def test_a_page_has_its_text_size_and_chunks(api: Api, manual: str) -> None:
    page = api.client.get(f"{manual}/pages/1").json()
    assert (page["number"], page["pages"], page["kind"], page["recognised"]) == (1, 2, "image", False)
    assert page["width"] == pytest.approx(595.28, abs=0.1)
    assert page["height"] == pytest.approx(841.89, abs=0.1)
    slices = [page["text"][chunk["start"] : chunk["end"]] for chunk in page["chunks"]]
    listed = {chunk["id"]: chunk["text"] for chunk in api.client.get(f"{manual}/chunks").json()["chunks"]}
    assert slices
    assert slices == [listed[chunk["id"]] for chunk in page["chunks"]]


@pytest.mark.parametrize("width", [240, 800, 1200, 1600])
def test_an_image_is_as_wide_as_asked_for(api: Api, manual: str, width: int) -> None:
    response = api.client.get(f"{manual}/pages/1/image", params={"width": width})
    assert response.headers["content-type"] == "image/webp"
    image = Image.open(io.BytesIO(response.content))
    assert image.width == width
    assert image.height == pytest.approx(width * 841.89 / 595.28, abs=1)


def test_a_browser_keeps_an_image(api: Api, manual: str) -> None:
    document_id = manual.rpartition("/")[2]
    first = api.client.get(f"{manual}/pages/2/image")
    for_ever = api.client.get(f"{manual}/pages/2/image", params={"v": document_id})
    assert first.headers["cache-control"] == "private, no-cache"
    assert for_ever.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert first.content == for_ever.content
    again = api.client.get(f"{manual}/pages/2/image", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = api.client.get(
        f"{manual}/pages/2/image", params={"width": 240}, headers={"If-None-Match": first.headers["etag"]}
    )
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("page", "quote", "line"), [(1, "E-04 means that the water tank is empty.", 1), (2, "错误代码表示水箱已空。", 1)]
)
def test_a_quote_is_boxed_where_it_is_printed(api: Api, manual: str, page: int, quote: str, line: int) -> None:
    found = api.client.post(f"{manual}/pages/{page}/boxes", json={"quote": quote}).json()
    ((left, top, right, bottom),) = found["boxes"]
    base = 1 - (780 - 16 * line) / 841.89  # the line that it is written on
    assert found["found"]
    assert left == pytest.approx(60 / 595.28, abs=0.01)
    assert left < right < 0.6
    assert top < base < bottom + 0.005
    assert bottom - top < 0.03


def test_what_the_page_does_not_say_has_no_box(api: Api, manual: str) -> None:
    assert api.client.post(f"{manual}/pages/2/boxes", json={"quote": "E-04 means that the water tank"}).json() == {
        "boxes": [],
        "found": False,
    }


def test_chunks_have_boxes(api: Api, manual: str) -> None:
    page = api.client.get(f"{manual}/pages/1").json()
    chunks = api.client.get(f"{manual}/pages/1/chunks").json()["chunks"]
    assert [chunk["id"] for chunk in chunks] == [chunk["id"] for chunk in page["chunks"]]
    assert [len(chunk["boxes"]) for chunk in chunks] == [2]


def test_a_text_document_has_text_and_no_image(api: Api, pumps: str) -> None:
    document = api.ready(pumps, "notes.md", b"# Notes\n\nThe pump is loud.")
    address = f"/v1/knowledge-bases/{pumps}/documents/{document['id']}/pages/1"
    page = api.client.get(address).json()
    assert (page["kind"], page["width"], page["height"]) == ("text", None, None)
    assert "The pump is loud." in page["text"]
    assert "PDF" in problem(api.client.get(f"{address}/image"), 404, "no_page_image")["title"]
    problem(api.client.post(f"{address}/boxes", json={"quote": "The pump is loud."}), 404, "no_page_image")


def test_there_is_no_page_beyond_the_last(api: Api, manual: str) -> None:
    assert "第 3 页" in problem(api.client.get(f"{manual}/pages/3", headers=ZH), 404, "page_not_found")["title"]
    problem(api.client.get(f"{manual}/pages/3/image"), 404, "page_not_found")
    problem(api.client.post(f"{manual}/pages/3/boxes", json={"quote": "x"}), 404, "page_not_found")
    problem(api.client.get(f"{manual}/pages/3/chunks"), 404, "page_not_found")


@pytest.mark.parametrize("path", ["0", "-1", "x", "1/image?width=1", "1/image?width=99999", "1/image?width=x"])
def test_what_makes_no_sense_is_refused(api: Api, manual: str, path: str) -> None:
    problem(api.client.get(f"{manual}/pages/{path}"), 422, "invalid_input")


def test_another_knowledge_base_does_not_see_the_page(api: Api, kettle: str, manual: str) -> None:
    elsewhere = f"/v1/knowledge-bases/{kettle}/documents/{manual.rpartition('/')[2]}/pages/1"
    for response in (
        api.client.get(elsewhere),
        api.client.get(f"{elsewhere}/image"),
        api.client.get(f"{elsewhere}/chunks"),
        api.client.post(f"{elsewhere}/boxes", json={"quote": "The pump starts"}),
    ):
        problem(response, 404, "document_not_found")


def test_a_page_that_was_not_read_has_an_image(api: Api, pumps: str) -> None:
    document = api.ready(pumps, "scan.pdf", a_pdf_of_images(1))
    assert (document["state"], document["error"]["code"]) == ("failed", "needs_ocr")
    image = api.client.get(f"/v1/knowledge-bases/{pumps}/documents/{document['id']}/pages/1/image")
    assert image.status_code == 200


def test_images_go_with_their_document(api: Api, pumps: str) -> None:
    document = api.ready(pumps, "gone.pdf", a_pdf(["A page that goes."]))
    address = f"/v1/knowledge-bases/{pumps}/documents/{document['id']}"
    folder = api.services.settings.page_images_dir / document["id"]
    assert api.client.get(f"{address}/pages/1/image").status_code == 200
    assert [path.name for path in folder.iterdir()] == ["1-1200.webp"]
    assert api.client.delete(address).status_code == 204
    problem(api.client.get(f"{address}/pages/1/image"), 404, "document_not_found")
    api.until(lambda: not folder.exists())
