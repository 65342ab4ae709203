"""What watches the service: Prometheus takes its files, and every expression is about what there is to be read."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.api.measures import Measures
from app.types import DocumentState, JobState
from tests.deploy.compose import ROOT, services
from tests.deploy.environment import promtool

FOLDER = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "manualqa.json"
STATES = {state.value for state in (*DocumentState, *JobState)}
PARTS = {"catalogue", "embedder", "model"}
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring"}


def existing() -> set[str]:
    """The names of all samples, after a request and a look at the state; `up` is Prometheus' own."""
    measures = Measures()
    measures.request({"type": "http", "method": "GET"}, 200, 0.1)
    measures.state(dict.fromkeys(PARTS, True), dict.fromkeys(DocumentState, 1), dict.fromkeys(JobState, 1))
    lines = measures.text().decode().splitlines()
    return {"up", *(re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#"))}


def named(expression: str) -> set[str]:
    """The metrics of an expression: names that are no function, no word of the language, no label."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)", " ", expression)
    return {name for name in re.findall(r"\b[a-z_]\w*\b(?!\s*\()", bare) if name not in WORDS and not name.isdigit()}


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in rules()},
    **{f"{panel['title']} {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]},
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_about_what_there_is(name: str) -> None:
    assert named(EXPRESSIONS[name])
    assert named(EXPRESSIONS[name]) <= existing()
    for label, pattern in re.findall(r'(\w+)(?:=~|!=|=)"([^"]*)"', EXPRESSIONS[name]):
        known = {"state": STATES, "part": PARTS, "status": {"2xx", "3xx", "4xx", "5xx", "none"}, "job": {"manualqa"}}
        assert label == "route" or set(pattern.split("|")) <= known[label]


def test_a_metric_that_is_not_there_would_be_noticed() -> None:
    assert named('rate(manualqa_requests_totals{status="5xx"}[5m]) > 1') == {"manualqa_requests_totals"}


def test_an_alert_says_what_it_is_and_what_to_look_at() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} == set(rule["annotations"]), rule["alert"]


def test_the_dashboard_is_what_grafana_loads() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "manualqa.yml").read_text())["providers"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["datasource"]["uid"] == source["uid"]
    volumes = services()["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in volumes
    assert source["url"] == "http://prometheus:9090"


def test_prometheus_finds_the_api_and_its_key() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "manualqa")
    (where,) = job["dns_sd_configs"]
    assert where["names"] == ["api"]
    assert str(where["port"]) in services()["api"]["command"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_key"
    assert services()["prometheus"]["secrets"] == ["metrics_key"]


def test_prometheus_takes_its_files_and_the_alerts_fire(tmp_path: Path) -> None:
    program = promtool()
    if program is None:
        pytest.skip("left out: there is no promtool, and no Debian package of it")
    key = tmp_path / "metrics_key"
    key.write_text("key\n")
    config = (FOLDER / "prometheus.yml").read_text(encoding="utf-8").replace("/run/secrets/metrics_key", str(key))
    (tmp_path / "prometheus.yml").write_text(config, encoding="utf-8")
    (tmp_path / "alerts.yml").write_bytes((FOLDER / "alerts.yml").read_bytes())
    trial = Path(__file__).with_name("alerts_test.yml").read_text(encoding="utf-8").replace("{rules}", "alerts.yml")
    (tmp_path / "trial.yml").write_text(trial, encoding="utf-8")
    for words in (["check", "config", "prometheus.yml"], ["test", "rules", "trial.yml"]):
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
