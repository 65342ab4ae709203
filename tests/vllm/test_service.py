"""The whole service over a real vLLM: an adapter is imported, hosted and asked over the API, and outlives a stop."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from app.cli.own_server import OwnServer, own_server
from tests.fixtures.lora import a_lora
from tests.fixtures.vllm_server import KEY, MODEL, SERVED, VllmServer

QUESTION = "Which voltage does the pump P-77 need?"


def settings(vllm: VllmServer) -> dict[str, str]:
    return {
        "MQA_LLM_BASE_URL": vllm.base_url,
        "MQA_LLM_MODEL": SERVED,
        "MQA_LLM_API_KEY": KEY,
        "MQA_ADAPTER_BASE": MODEL,
        "MQA_HOSTING_CHECK_SECONDS": "0.5",
        "MQA_LLM_FIRST_TOKEN_SECONDS": "300",
        "MQA_LLM_TOTAL_SECONDS": "600",
    }


def an_archive(folder: Path) -> bytes:
    """A ZIP file with an adapter so weak that the model still keeps to the form of an answer."""
    peft = a_lora(folder / "peft", strength=0.0005)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(peft.iterdir()):
            archive.write(path, path.name)
    return packed.getvalue()


def ask(server: OwnServer, base: str, adapter: str | None) -> dict[str, Any]:
    body = {"question": QUESTION, **({"adapter": adapter} if adapter else {})}
    answer: dict[str, Any] = server.client.post(f"/v1/knowledge-bases/{base}/ask", body)
    return answer


def test_an_adapter_comes_is_hosted_answers_and_outlives_a_stop(vllm: VllmServer, tmp_path: Path) -> None:
    manual = tmp_path / "pump.md"
    manual.write_text("# Pump\n\nThe pump P-77 needs a voltage of 24 V.\n", encoding="utf-8")
    with own_server(tmp_path / "data", need_model=True, settings=settings(vllm)) as server:
        base = server.client.post("/v1/knowledge-bases", {"name": "pumps"})["id"]
        job = server.client.upload(base, manual, lambda _: None)["job"]
        assert list(server.client.job_states(job["id"]))[-1]["state"] == "done"
        plain = ask(server, base, None)
        assert (plain["mode"], plain["model"], plain["adapter"]) == ("generated", SERVED, None), plain
        assert "24 V" in plain["text"]
        sent = server.client._http.post(
            "/v1/adapters", params={"name": "pumps", "base": MODEL}, content=an_archive(tmp_path)
        )
        assert sent.status_code == 201, sent.text
        adapter = sent.json()["id"]
        assert server.client.post(f"/v1/adapters/{adapter}/host", {})["hosted"]
        answer = ask(server, base, adapter)
        assert (answer["mode"], answer["model"], answer["adapter"]) == ("generated", SERVED, adapter), answer
        assert ask(server, base, "base")["adapter"] is None
    with own_server(tmp_path / "data", need_model=True, settings=settings(vllm)) as server:
        assert ask(server, base, adapter)["adapter"] == adapter
        assert not server.client.post(f"/v1/adapters/{adapter}/unhost", {})["hosted"]
