"""The Helm chart: helm renders it, the schemas of Kubernetes take it, and it is what docs/deploy.md says of it."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from typer.main import get_command

from app import __version__
from app.cli.main import cli
from app.settings import Settings
from tests.deploy.compose import ROOT, SETTINGS, services

CHART = ROOT / "deploy" / "helm" / "manualqa"
SECRETS = {
    "mqa_database_url": "postgresql://manualqa:pw@postgres:5432/manualqa",
    "mqa_milvus_token": "manualqa:pw",
    "mqa_s3_access_key_id": "manualqa",
    "mqa_s3_secret_access_key": "pw",
}
SMALL = {"secrets": SECRETS}
LARGE = {
    "existingSecret": "keys",
    "image": {"repository": "registry.example.org/manualqa"},
    "vllm": {"enabled": True, "modelClaim": "weights", "modelPath": "qwen", "nodeSelector": {"gpu": "yes"}},
    "api": {
        "autoscaling": {"enabled": True},
        "moreSecrets": ["mqa_alarm_webhook_url"],
        "tolerations": [{"key": "spot", "operator": "Exists"}],
    },
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
    "models": {"persistent": False},
    "networkPolicy": {
        "apiFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
        "stores": [{"name": "postgres", "podLabels": {"app": "postgres"}, "port": 5432}],
    },
}
SEVERAL = {"existingSecret": "keys", "vllm": {"enabled": True, "modelClaim": "weights", "replicas": 3, "gpus": 2}}
Manifest = dict[str, Any]


WRONG: dict[str, dict[str, Any]] = {
    "secrets.mqa_database_url is needed": {},
    "modelClaim": {"existingSecret": "keys", "vllm": {"enabled": True}},
    "tag": {"existingSecret": "keys", "image": {"repository": "x", "tag": "latest"}},
    "MQA_S3_SECRET_ACCESS_KEY": {"existingSecret": "keys", "settings": {"MQA_S3_SECRET_ACCESS_KEY": "pw"}},
}
"""What is said, and of which values."""


@pytest.fixture(scope="module")
def rendered(tool_folder: Path) -> list[dict[str, Any]]:
    """The small chart twice, the large one, one with replicas, and wrong ones, from one process: helm loads slowly."""
    command = [tool_folder / "python", Path(__file__).with_name("render_chart.py")]
    asked = json.dumps([SMALL, SMALL, LARGE, SEVERAL, *WRONG.values()])
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=280, check=True, cwd=ROOT)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def small(rendered: list[dict[str, Any]]) -> dict[str, Any]:
    return rendered[0]


@pytest.fixture
def large(rendered: list[dict[str, Any]]) -> dict[str, Any]:
    return rendered[2]


@pytest.fixture(params=["small", "large"])
def chart(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


def of_kind(chart: dict[str, Any], kind: str) -> dict[str, Manifest]:
    prefix = "mq-manualqa"
    return {
        manifest["metadata"]["name"].removeprefix(prefix).lstrip("-"): manifest
        for manifest in chart["manifests"]
        if manifest["kind"] == kind
    }


def pods(chart: dict[str, Any]) -> dict[str, Manifest]:
    return {name: found["spec"]["template"] for name, found in of_kind(chart, "Deployment").items()}


def containers(chart: dict[str, Any]) -> list[tuple[str, Manifest]]:
    return [
        (name, container)
        for name, pod in pods(chart).items()
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    ]


def test_helm_and_kubernetes_find_nothing(chart: dict[str, Any]) -> None:
    assert chart["lint"]["errors"] == []
    assert [found["error"] for found in chart["lint"]["messages"]] == ["icon is recommended"]
    assert chart["faults"] == []


def test_the_parts_are_there(small: dict[str, Any], large: dict[str, Any]) -> None:
    assert set(pods(small)) == {"api", "worker"}
    assert set(pods(large)) == {"api", "worker", "vllm"}
    assert set(of_kind(small, "Secret")) == {""}
    assert set(of_kind(large, "Secret")) == set()
    assert set(of_kind(large, "HorizontalPodAutoscaler")) == {"api"}
    assert "replicas" not in of_kind(large, "Deployment")["api"]["spec"]
    assert set(of_kind(small, "PodDisruptionBudget")) == {"api", "worker"}
    assert set(of_kind(small, "PersistentVolumeClaim")) == {"adapters", "models"}
    assert set(of_kind(large, "PersistentVolumeClaim")) == {"adapters"}


def test_no_pod_has_rights(chart: dict[str, Any]) -> None:
    for name, pod in pods(chart).items():
        security = pod["spec"]["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 10001), name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
    for name, container in containers(chart):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])
        assert not container["image"].endswith(":latest")


def test_secrets_are_files_and_nothing_else(chart: dict[str, Any]) -> None:
    for name, container in containers(chart):
        given = {entry["name"] for entry in container.get("env", ())}
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert ("MQA_SECRETS_DIR" in given) == ("/run/secrets/manualqa" in mounted) or name == "vllm", container["name"]
        assert all("secretKeyRef" not in entry.get("valueFrom", {}) for entry in container.get("env", ()))
    for name, pod in pods(chart).items():
        (keys,) = (
            {item["key"] for item in volume["secret"]["items"]}
            for volume in pod["spec"]["volumes"]
            if "secret" in volume
        )
        assert ("mqa_first_key" in keys) == (name == "api")
        assert {key.upper() for key in keys} <= SETTINGS
        assert name != "vllm" or keys == {"mqa_llm_api_key"}


def test_the_api_gets_more_secrets_and_nobody_else_does(large: dict[str, Any]) -> None:
    for name, pod in pods(large).items():
        keys = {item["key"] for volume in pod["spec"]["volumes"] for item in volume.get("secret", {}).get("items", ())}
        assert ("mqa_alarm_webhook_url" in keys) == (name == "api")


def test_every_mount_has_its_volume(chart: dict[str, Any]) -> None:
    for name, container in containers(chart):
        volumes = {volume["name"] for volume in pods(chart)[name]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_every_setting_is_one(chart: dict[str, Any]) -> None:
    assert set(of_kind(chart, "ConfigMap")[""]["data"]) <= SETTINGS


def test_every_command_is_one_of_ours(chart: dict[str, Any]) -> None:
    for name, container in containers(chart):
        words = list(container["args"])
        if name == "vllm":
            continue
        command: click.Command = get_command(cli)
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        command.make_context(container["name"], words)


def test_a_selector_selects_the_pods_that_it_means(chart: dict[str, Any]) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(chart).items()}
    for name, deployment in of_kind(chart, "Deployment").items():
        assert deployment["spec"]["selector"]["matchLabels"] == labels[name]
    for name, service in of_kind(chart, "Service").items():
        assert service["spec"]["selector"] == labels[name or "api"]
    for name, budget in of_kind(chart, "PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"] == labels[name]


def test_probes_ask_what_there_is(chart: dict[str, Any]) -> None:
    (api,) = pods(chart)["api"]["spec"]["containers"]
    assert api["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert api["startupProbe"]["httpGet"]["path"] == "/healthz"


def test_who_reaches_whom(large: dict[str, Any]) -> None:
    policies = {name: found["spec"] for name, found in of_kind(large, "NetworkPolicy").items()}
    assert set(policies) == {"api", "worker", "vllm", "postgres"}
    assert policies["worker"]["ingress"] == []
    assert policies["api"]["ingress"][0]["from"] == LARGE["networkPolicy"]["apiFrom"]  # type: ignore[index]
    ours = [{"podSelector": {"matchLabels": pods(large)[name]["metadata"]["labels"]}} for name in ("api", "worker")]
    assert policies["vllm"]["ingress"] == [{"from": ours, "ports": [{"protocol": "TCP", "port": 8000}]}]
    assert policies["vllm"]["egress"] == []
    assert policies["postgres"]["ingress"][0]["from"] == ours


def test_vllm_gets_its_gpu_and_its_adapters(large: dict[str, Any]) -> None:
    (vllm,) = pods(large)["vllm"]["spec"]["containers"]
    assert vllm["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"name": "adapters", "mountPath": "/adapters", "readOnly": True} in vllm["volumeMounts"]
    settings = of_kind(large, "ConfigMap")[""]["data"]
    assert settings["MQA_VLLM_ADAPTERS_DIR"] == "/adapters"
    assert settings["MQA_LLM_BASE_URL"] == "http://mq-manualqa-vllm:8000/v1"
    assert services()["vllm"]["image"] == vllm["image"]


def test_replicas_of_vllm_have_addresses_that_adapters_are_loaded_at(rendered: list[dict[str, Any]]) -> None:
    chart = rendered[3]
    assert chart["faults"] == []
    vllm = of_kind(chart, "StatefulSet")["vllm"]["spec"]
    assert "vllm" not in of_kind(chart, "Deployment")
    assert (vllm["replicas"], vllm["serviceName"]) == (3, "mq-manualqa-vllm-each")
    each = of_kind(chart, "Service")["vllm-each"]["spec"]
    assert (each["clusterIP"], each["selector"]) == ("None", vllm["selector"]["matchLabels"])
    settings = of_kind(chart, "ConfigMap")[""]["data"]
    assert "MQA_LLM_BASE_URL" not in settings
    assert Settings(vllm_replicas=settings["MQA_VLLM_REPLICAS"]).replica_urls == tuple(
        f"http://mq-manualqa-vllm-{number}.mq-manualqa-vllm-each:8000/v1" for number in range(3)
    )


def test_generated_keys_are_long_and_differ(rendered: list[dict[str, Any]]) -> None:
    made, again = (of_kind(chart, "Secret")[""]["data"] for chart in rendered[:2])
    for key in ("mqa_llm_api_key", "mqa_first_key", "mqa_metrics_key"):
        assert len(base64.b64decode(made[key])) >= 40
        assert made[key] != again[key]
    assert base64.b64decode(made["mqa_database_url"]).decode() == SECRETS["mqa_database_url"]


def test_what_cannot_work_is_refused(rendered: list[dict[str, Any]]) -> None:
    for said, chart in zip(WRONG, rendered[4:], strict=True):
        assert said in chart["error"]


def test_the_versions_are_those_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
