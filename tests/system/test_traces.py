"""Traces of a real server at a real collector: what is in them, what is not, and a collector that is away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.server import FaultServer
from tests.fixtures.milvus_servers import free_port
from tests.fixtures.scripted_model import Fault, scripted_model
from tests.fixtures.trace_collector import Collector, a_trace_collector
from tests.fixtures.waiting import wait_for

SAID = "E-04 means that the water tank is empty."
MANUAL = b"# Kettle\n\nE-04 means that the water tank is empty. Fill it and press OK."
QUESTION = "What does E-04 mean?"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = PARENT.split("-")[1]
WAIT_SECONDS = 120.0
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")


def asked(server: FaultServer, base: str, **headers: str) -> dict[str, Any]:
    answer = server.call("POST", f"/v1/knowledge-bases/{base}/ask", json={"question": QUESTION}, headers=headers)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "request_id": answer.headers["X-Request-Id"]}


def a_ready_base(server: FaultServer) -> tuple[str, str]:
    base = server.base("kettle")
    job = server.upload(base, "kettle.md", MANUAL)["job"]["id"]
    assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)
    return base, str(job)


def log_lines(server: FaultServer) -> list[dict[str, Any]]:
    text = (server.data / "logs" / "server.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def of_the_question(collector: Collector) -> dict[str, Any]:
    return {span.name: span for span in collector.spans if span.trace_id == TRACE}


def test_a_question_and_a_document_are_traced_without_a_word_of_them(tmp_path: Path) -> None:
    with a_trace_collector() as collector, scripted_model(SAID) as model:
        endpoint = {"MQA_OTLP_ENDPOINT": collector.url, "MQA_LLM_BASE_URL": model.base_url}
        server = FaultServer(tmp_path, **endpoint, **QUICK, OTEL_SERVICE_NAME="kettles")
        try:
            server.start()
            base, job = a_ready_base(server)
            answer = asked(server, base, traceparent=PARENT)
            assert answer["mode"] == "generated"
            route = "POST /v1/knowledge-bases/{knowledge_base_id}/ask"
            stages = {"embed", "search", "prompt", "generate", "check"}
            assert wait_for(lambda: {route, *stages} <= of_the_question(collector).keys(), WAIT_SECONDS)
            spans = of_the_question(collector)
            request = spans[route]
            assert request.parent == PARENT.split("-")[2]
            assert {spans[stage].parent for stage in stages} == {request.id}
            assert request.values["request_id"] == answer["request_id"]
            assert (request.values["http.route"], request.values["http.response.status_code"]) == (
                "/v1/knowledge-bases/{knowledge_base_id}/ask",
                200,
            )
            assert spans["generate"].values["completion_tokens"] > 0
            assert model.traces[-1] == f"00-{TRACE}-{spans['generate'].id}-01"
            [line] = [one for one in log_lines(server) if one.get("request_id") == answer["request_id"]][-1:]
            assert line["trace_id"] == TRACE
            assert wait_for(lambda: bool(collector.named("ingest")), WAIT_SECONDS)
            [ingest] = collector.named("ingest")
            assert (ingest.values["job_id"], ingest.values["ended"]) == (job, "ready")
            steps = [span.name for span in collector.spans if span.parent == ingest.id]
            assert {"step read", "step settle", "step chunk", "step embed", "step publish"} <= set(steps)
            assert collector.resources[0]["service.name"] == "kettles"
            model.fault = Fault.ERROR_500
            asked(server, base)
            assert wait_for(lambda: any(span.failed for span in collector.named("generate")), WAIT_SECONDS)
            assert not any(span.events for span in collector.spans)
            for word in (
                b"E-04",
                b"water",
                b"kettle.md",
                b"Kettle",
                server.connect().headers["Authorization"].encode(),
            ):
                assert word not in collector.raw
        finally:
            server.stop()


def test_a_collector_that_is_away_costs_no_time_and_one_line_of_the_log(tmp_path: Path) -> None:
    with scripted_model(SAID) as model:
        nowhere = f"http://127.0.0.1:{free_port()}"
        server = FaultServer(tmp_path, MQA_LLM_BASE_URL=model.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=nowhere, **QUICK)
        try:
            server.start()
            base, _ = a_ready_base(server)
            slowest = 0.0
            for _ in range(20):
                began = time.monotonic()
                assert asked(server, base)["mode"] == "generated"
                slowest = max(slowest, time.monotonic() - began)
            assert wait_for(lambda: any(one["event"] == "traces_not_sent" for one in log_lines(server)), WAIT_SECONDS)
            text = (server.data / "logs" / "server.log").read_text(encoding="utf-8")
            assert text.count("traces_not_sent") == 1
            assert "opentelemetry" not in text
            assert any("trace_id" in one for one in log_lines(server))
            assert slowest < 20  # far from the seconds that sending is tried for, each time
            server.process.terminate()
            server.wait(WAIT_SECONDS)
        finally:
            server.stop()


def test_without_a_collector_its_libraries_are_not_even_imported() -> None:
    code = (
        "import sys, app.api.app, app.cli.serve, app.cli.worker\n"
        "from app import tracing\n"
        "assert tracing.within('a') is tracing.request({})\n"
        "assert not [name for name in sys.modules if name.startswith('app.open_telemetry')]\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.exporter.otlp.proto.http')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=WAIT_SECONDS)
