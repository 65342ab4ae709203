"""The pages of adapters: who sees what, and what they say of hosting, proof and use."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue.keys import Role
from tests.fixtures.adapters import an_adapter, zipped
from tests.unit.api.conftest import Api
from tests.unit.api.test_adapters import KNOWS_ALL, KNOWS_ONE, forced, hosted, imported, proved, say
from tests.unit.api.web.test_pages import EVIL, NOBODY, ZH, page, role_of, tags

ACTIONS = ("host", "unhost", "retire", "adapter-import", "promote", "rollback")


@pytest.fixture
def base(api: Api) -> Iterator[str]:
    """A knowledge base of its own, and no adapter left behind."""
    made = api.base(f"base {secrets.token_hex(3)}")
    api.ready(
        made, "k.md", b"# Codes\n\nE-04 means that the water tank is empty.\nE-11 means that the heater is too hot.\n"
    )
    yield made
    while api.client.post(f"/v1/knowledge-bases/{made}/adapter/rollback").status_code == 200:
        pass
    for adapter in api.client.get("/v1/adapters").json()["adapters"]:
        if adapter["state"] != "retired":
            assert api.client.post(f"/v1/adapters/{adapter['id']}/retire").status_code == 200
    api.client.delete(f"/v1/knowledge-bases/{made}")


def shown(text: str) -> set[str]:
    return set(re.findall(r'data-testid="([\w-]+)"', text))


def test_without_a_session_the_pages_lead_to_the_sign_in_page(api: Api) -> None:
    for path in ("/adapters", "/adapters/ad-1"):
        answer = api.client.get(path, headers=NOBODY, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?")
    assert "There is nothing here" in page(api, "/adapters/ad-none", 404)


@pytest.mark.usefixtures("base")
def test_each_role_sees_what_it_may_do(api: Api, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    other = imported(api, tmp_path / "other")
    reader, editor = role_of(api, Role.READER), role_of(api, Role.EDITOR)
    for path in ("/adapters", f"/adapters/{adapter}", f"/adapters/{other}"):
        for headers in (reader, editor):
            assert not shown(page(api, path, **headers)) & set(ACTIONS), path
    assert {"adapter-hosted"} <= shown(page(api, f"/adapters/{adapter}", **reader))
    assert not {"export", "prove"} & shown(page(api, f"/adapters/{adapter}", **reader))
    assert {"export", "prove"} <= shown(page(api, f"/adapters/{adapter}", **editor))
    assert "prove" not in shown(page(api, f"/adapters/{other}", **editor)), "it is not hosted"
    assert {"unhost", "retire", "promote"} <= shown(page(api, f"/adapters/{adapter}"))
    assert {"host", "unhost", "adapter-import"} <= shown(page(api, "/adapters"))
    assert 'href="/adapters"' in page(api, "/kb", **reader)


@pytest.mark.usefixtures("base")
def test_names_are_text_and_nothing_is_inline(api: Api, tmp_path: Path) -> None:
    archive = zipped(an_adapter(tmp_path / "a"), tmp_path / "a.zip").read_bytes()
    name = f"{EVIL}{secrets.token_hex(2)}"
    adapter = api.client.post("/v1/adapters", params={"name": name}, content=archive).json()["id"]
    for path in ("/adapters", f"/adapters/{adapter}"):
        text = page(api, path)
        assert "alert(1)</script>" not in text
        for tag, attributes in tags(text):
            assert not [key for key in attributes if key.startswith("on") or key == "style"], (path, tag)
            assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
        assert "适配器" in page(api, path, **ZH)


def test_a_proof_is_shown_with_what_stands_against_it(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    assert "It has not been proved yet" in page(api, f"/adapters/{adapter}")
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ONE)
    pair = proved(api, base, adapter)
    text = page(api, f"/adapters/{adapter}")
    assert f'href="/evaluations/compare?before={pair["base"]}&amp;after={pair["adapter"]}"' in text
    assert ("for" in shown(text), "against" in shown(text)) == (True, False)
    say(api, adapter, by_adapter=KNOWS_ONE, by_base=KNOWS_ALL)
    proved(api, base, adapter)
    text = page(api, f"/adapters/{adapter}")
    assert ("for" in shown(text), "against" in shown(text)) == (False, True)
    assert "answer_accuracy is worse by" in text
    for one in api.client.get("/v1/evaluations").json()["evaluations"]:
        api.client.delete(f"/v1/evaluations/{one['id']}")
    assert "an evaluation of it is gone" in page(api, f"/adapters/{adapter}")


def test_what_answers_is_shown_with_the_thumbs_of_both_sides(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    forced(api, base, adapter, share=50)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()["id"]
    for question in ("What does E-04 mean?", "And what does E-11 mean?"):
        api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": question})
    turns = api.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    api.client.put(f"/v1/turns/{turns[0]['id']}/feedback", json={"verdict": "up"})
    text = page(api, "/adapters")
    assert {"standing", "arm", "rollback"} <= shown(text)
    assert "gets 50% of the questions" in text
    assert "a trial" in text
    assert "gets 50% of the questions" in page(api, f"/kb/{base}/settings")
    assert "rollback" not in shown(page(api, "/adapters", **role_of(api, Role.EDITOR)))
    api.client.post(f"/v1/knowledge-bases/{base}/adapter/rollback")
    assert "rollback" not in shown(page(api, f"/adapters/{adapter}"))


@pytest.mark.usefixtures("base")
def test_a_retired_adapter_offers_nothing(api: Api, tmp_path: Path) -> None:
    adapter = imported(api, tmp_path)
    api.client.post(f"/v1/adapters/{adapter}/retire")
    text = page(api, f"/adapters/{adapter}")
    assert not shown(text) & {*ACTIONS, "export", "prove"}
    assert "its files are gone" in text


def test_comparing_is_offered_while_an_adapter_is_hosted(api: Api, base: str, tmp_path: Path) -> None:
    asking = f"/kb/{base}/ask"
    assert "compare" not in shown(page(api, asking))
    adapter = hosted(api, tmp_path)
    reader = role_of(api, Role.READER)
    assert f'<option value="{adapter}"' in page(api, asking, **reader)
    api.client.post(f"/v1/adapters/{adapter}/unhost")
    assert "compare" not in shown(page(api, asking, **reader))


def test_an_answer_says_who_wrote_it(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    name = api.client.get(f"/v1/adapters/{adapter}").json()["name"]
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()["id"]
    for chosen in ("base", adapter):
        body = {"question": "What does E-04 mean?", "adapter": chosen}
        assert api.client.post(f"/v1/conversations/{conversation}/ask", json=body).status_code == 200
    by_base, by_adapter = api.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    assert "the base model wrote it" in page(api, f"/kb/{base}/turns/{by_base['id']}")
    assert f">{name}</a>" in page(api, f"/kb/{base}/turns/{by_adapter['id']}")
    assert f">{name}</a>" in page(api, f"/kb/{base}/ask/{conversation}")
