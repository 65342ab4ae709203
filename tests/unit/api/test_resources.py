"""Knowledge bases, documents, jobs and keys over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from app.catalogue.keys import Role
from tests.fixtures.pdfs import a_pdf
from tests.unit.api.conftest import MANUAL, Api


def test_a_knowledge_base_from_first_to_last(api: Api) -> None:
    base = api.base("  Drills ")
    shown = api.client.get(f"/v1/knowledge-bases/{base}").json()
    assert (shown["name"], shown["documents"], shown["fingerprint"]["embedder"]) == ("Drills", 0, "words@1")
    changed = api.client.patch(f"/v1/knowledge-bases/{base}", json={"threshold": 0.4}).json()
    assert (changed["name"], changed["settings"]["threshold"]) == ("Drills", 0.4)
    found = api.client.get("/v1/knowledge-bases", params={"name": "Drills"}).json()["knowledge_bases"]
    assert [entry["id"] for entry in found] == [base]
    assert api.client.delete(f"/v1/knowledge-bases/{base}").status_code == 204
    assert api.client.get(f"/v1/knowledge-bases/{base}").status_code == 404


def test_the_same_bytes_are_one_document(api: Api) -> None:
    base = api.base("twice")

    def send(number: int) -> tuple[str, str]:
        sent = api.upload(base, f"copy-{number}.md", MANUAL.encode())
        return sent["document"]["id"], sent["job"]["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(8)))) == 1
    assert len(api.client.get(f"/v1/knowledge-bases/{base}/documents").json()["documents"]) == 1


def test_a_pdf_becomes_ready_with_pages_and_chunks(api: Api) -> None:
    base = api.base("pdf")
    document = api.ready(base, "two pages.pdf", a_pdf(["The fuse is rated 5 A.", "The lamp is of type G9."]))
    assert (document["state"], document["pages"], document["error"]) == ("ready", 2, None)
    path = f"/v1/knowledge-bases/{base}/documents/{document['id']}"
    chunks = api.client.get(f"{path}/chunks").json()["chunks"]
    assert "5 A" in chunks[0]["text"]
    hits = api.client.post(f"/v1/knowledge-bases/{base}/search", json={"question": "lamp type"}).json()["hits"]
    assert hits[0]["document_id"] == document["id"]
    file = api.client.get(f"{path}/file")
    assert file.content.startswith(b"%PDF")
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["x-content-type-options"] == "nosniff"


def test_a_deleted_document_answers_no_more_at_once(api: Api) -> None:
    base = api.base("deleted")
    document = api.ready(base, "kettle.md", MANUAL.encode())
    question = {"question": "What does E-04 mean?"}
    assert api.client.post(f"/v1/knowledge-bases/{base}/search", json=question).json()["hits"]
    assert api.client.delete(f"/v1/knowledge-bases/{base}/documents/{document['id']}").status_code == 204
    gone = api.client.post(f"/v1/knowledge-bases/{base}/search", json=question).json()
    assert gone["hits"] == gone["rejected"] == []
    assert api.client.get(f"/v1/knowledge-bases/{base}/documents/{document['id']}").status_code == 404
    again = api.ready(base, "kettle.md", MANUAL.encode())
    assert again["state"] == "ready"
    assert again["id"] != document["id"]


def test_a_knowledge_base_never_shows_what_is_in_another(api: Api, kettle: str) -> None:
    other = api.base("other")
    document = api.client.get(f"/v1/knowledge-bases/{kettle}/documents").json()["documents"][0]
    for path in ("", "/chunks", "/file"):
        foreign = f"/v1/knowledge-bases/{other}/documents/{document['id']}{path}"
        assert api.client.get(foreign).status_code == 404
    assert api.client.delete(f"/v1/knowledge-bases/{other}/documents/{document['id']}").status_code == 404
    hits = api.client.post(f"/v1/knowledge-bases/{other}/search", json={"question": "E-04"}).json()["hits"]
    assert hits == []


def test_keys_have_roles_and_end_when_revoked(api: Api, kettle: str) -> None:
    made = api.client.post("/v1/keys", json={"name": "robot", "role": Role.READER}).json()
    own = {"Authorization": f"Bearer {made['secret']}"}
    question = {"question": "E-04"}
    assert api.client.post(f"/v1/knowledge-bases/{kettle}/search", json=question, headers=own).status_code == 200
    refused = api.client.post("/v1/knowledge-bases", json={"name": "x"}, headers=own)
    assert (refused.status_code, refused.json()["code"]) == (403, "role_too_low")
    listed = api.client.get("/v1/keys").json()["keys"]
    assert made["secret"] not in str(listed)
    assert api.client.delete(f"/v1/keys/{made['id']}").status_code == 204
    assert api.client.get("/v1/knowledge-bases", headers=own).status_code == 401
