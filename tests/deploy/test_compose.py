"""docker-compose.yml: it is what the compose specification allows, and what docs/deploy.md promises of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from typer.main import get_command

from app import __version__
from app.cli.main import cli
from app.cli.secret_files import SECRETS, write_missing
from app.settings import Settings
from tests.deploy.compose import FILE, ROOT, SETTINGS, ends_by_itself, is_ours, project, services

SERVICES = services()
OURS = {name: service for name, service in SERVICES.items() if is_ours(service)}
LASTING = {name: service for name, service in SERVICES.items() if not ends_by_itself(service)}
SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|KEY)S?$")


def user_of(service: dict[str, Any]) -> int:
    return int(str(service.get("user", "0:0")).split(":")[0])


def networks_of(service: dict[str, Any]) -> set[str]:
    return set(service.get("networks", ()))


@pytest.mark.parametrize("name", ["docker-compose.yml", "deploy/compose/grafana.yml"])
def test_the_file_is_what_the_specification_allows(tool_folder: Path, name: str) -> None:
    check = [tool_folder / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / name]
    done = subprocess.run(check, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_specification_is_really_asked(tool_folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("restart: unless-stopped", "restrat: unless-stopped"))
    check = [tool_folder / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", wrong]
    done = subprocess.run(check, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "restrat" in done.stdout + done.stderr


def test_every_image_is_pinned() -> None:
    tags = {name: str(service["image"]).rpartition(":")[2] for name, service in SERVICES.items()}
    assert {name: tag for name, tag in tags.items() if not re.match(r"(v|RELEASE\.)?\d+[.\d-]", tag)} == {}
    assert {tags[name] for name in OURS} == {__version__}


def test_only_the_api_is_published_and_only_on_this_machine_unless_asked() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8080:8080"]}
    assert project(MQA_PUBLISH="10.0.0.5")["services"]["api"]["ports"] == ["10.0.0.5:8080:8080"]
    assert all(service.get("network_mode") in (None, "none") for service in SERVICES.values())


def test_only_what_has_to_reaches_the_outside() -> None:
    internal = {name for name, network in project()["networks"].items() if network.get("internal")}
    outside = {name for name, service in SERVICES.items() if networks_of(service) - internal}
    assert outside == {"api", "weights", "model-weights"}


def test_who_reaches_whom() -> None:
    with_ = {
        network: {name for name, service in SERVICES.items() if network in networks_of(service)}
        for network in project()["networks"]
    }
    assert with_["etcd"] == {"etcd", "milvus"}
    assert with_["model"] == {"api", "worker", "vllm", "model-server"}
    assert with_["stores"] == {"api", "worker", "postgres", "milvus", "objects", "buckets"}
    assert with_["monitoring"] == {"api", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_without_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not service.get("cap_add") or name == "init"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["restart"] in ("no", "unless-stopped")
    if name in OURS:
        assert service["read_only"] is True
        assert user_of(service) == (0 if name == "init" else 10001)


@pytest.mark.parametrize("name", SERVICES)
def test_every_lasting_service_says_how_it_is(name: str) -> None:
    check = SERVICES[name].get("healthcheck", {"disable": True})
    if ends_by_itself(SERVICES[name]):
        assert check == {"disable": True} or name == "init"
    else:
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        done = ends_by_itself(SERVICES[other])
        assert wait["condition"] == ("service_completed_successfully" if done else "service_healthy")
        assert set(SERVICES[other].get("profiles", ())) <= set(SERVICES[name].get("profiles", ())), other


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        plain = SECRET_NAME.search(variable.removesuffix("__FILE").removesuffix("_FILE")) is not None
        assert not plain or str(value).startswith("/run/secrets/"), variable
    command = " ".join(SERVICES[name].get("command", ()))
    for variable, value in re.findall(r"([A-Z_]+)=(\"[^\"]*\"|\S+)", command):
        assert not SECRET_NAME.search(variable) or re.fullmatch(r'"\$\$\(cat /run/secrets/\w+\)"', value), variable
    assert "--api-key" not in command


def test_every_secret_is_one_that_init_makes_and_can_be_read_by_who_gets_it() -> None:
    made = {file.name: file.user for secret in SECRETS for file in secret.files}
    named = {name: entry["file"] for name, entry in project()["secrets"].items()}
    assert named == {name: f"./secrets/{name}" for name in made}
    readers = {
        secret: {user_of(service) for service in SERVICES.values() if secret in service.get("secrets", ())}
        for secret in made
    }
    assert readers == {name: {user} for name, user in made.items()}


def test_init_writes_where_the_secrets_are_looked_for() -> None:
    assert SERVICES["init"]["volumes"] == ["./secrets:/secrets"]
    assert SERVICES["init"]["command"] == ["init", "/secrets"]
    assert SERVICES["init"]["network_mode"] == "none"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    given = {key for key in OURS[name].get("environment", {}) if key.startswith("MQA_")}
    given |= {secret.upper() for secret in OURS[name].get("secrets", ())}
    assert given <= SETTINGS


@pytest.mark.parametrize("name", OURS)
def test_the_settings_are_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real `Settings` read the variables and the files that `init` wrote, as they would in the container."""
    write_missing(tmp_path / "made", SECRETS)
    (tmp_path / "seen").mkdir()
    for secret in OURS[name].get("secrets", ()):
        shutil.copyfile(tmp_path / "made" / secret, tmp_path / "seen" / secret)
    for key, value in OURS[name].get("environment", {}).items():
        if key.startswith("MQA_"):
            monkeypatch.setenv(key, str(tmp_path / "seen") if key == "MQA_SECRETS_DIR" else str(value))
    settings = Settings()
    for secret in OURS[name].get("secrets", ()):
        value = getattr(settings, secret.removeprefix("mqa_")).get_secret_value()
        assert value == (tmp_path / "made" / secret).read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours(name: str) -> None:
    words = [str(word) for word in OURS[name]["command"]]
    command: click.Command = get_command(cli)
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context(name, words)


def test_volumes_are_declared_and_folders_are_there() -> None:
    used = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, target = str(volume).partition(":")
            if target and source.startswith("."):
                assert source in ("./secrets", "./models/served") or (ROOT / source).is_dir(), source
            elif target:
                used.add(source)
    assert used == set(project()["volumes"])


def test_the_model_answers_to_one_name_whichever_profile_runs() -> None:
    servers = [service for service in SERVICES.values() if "model" in networks_of(service) and "profiles" in service]
    assert [service["networks"]["model"]["aliases"] for service in servers] == [["model"], ["model"]]
    assert {profile for service in servers for profile in service["profiles"]} == {"cpu", "gpu"}
    assert SERVICES["api"]["environment"]["MQA_LLM_BASE_URL"] == "http://model:8000/v1"


def test_the_sizes_of_the_gpu_profile_are_those_of_the_settings() -> None:
    command = SERVICES["vllm"]["command"][0]
    assert "--enable-lora" in command
    assert f"--max-lora-rank {Settings.model_fields['max_lora_rank'].default}" in command
    assert SERVICES["vllm"]["environment"]["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert "adapters:/adapters:ro" in SERVICES["vllm"]["volumes"]
    assert SERVICES["api"]["environment"]["MQA_VLLM_ADAPTERS_DIR"] == "/adapters"
    assert "adapters:/data/adapters" in SERVICES["api"]["volumes"]


def test_a_bucket_is_its_users_alone() -> None:
    folder = ROOT / "deploy" / "compose" / "buckets"
    assert subprocess.run(["sh", "-n", folder / "make.sh"], timeout=20, check=False).returncode == 0
    for name in ("manualqa", "milvus"):
        statement = json.loads((folder / f"only-{name}.json").read_text(encoding="utf-8"))["Statement"][0]
        assert statement["Resource"] == [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    assert SERVICES["milvus"]["environment"]["MINIO_BUCKET_NAME"] == "milvus"
    assert SERVICES["api"]["environment"]["MQA_S3_BUCKET"] == "manualqa"


def test_the_buckets_are_made_without_a_key_on_a_command_line(tmp_path: Path) -> None:
    """The script runs against a stand-in for MinIO's client, which notes what it is told and where."""
    write_missing(tmp_path / "secrets", SECRETS)
    client = tmp_path / "mc"
    client.write_text('#!/bin/sh\necho "$*" >> "$LOG"\nif [ "$3" = add ]; then cat >> "$LOG.in"; fi\n')
    client.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SECRETS": str(tmp_path / "secrets"),
        "LOG": str(tmp_path / "log"),
    }
    script = ["sh", ROOT / "deploy" / "compose" / "buckets" / "make.sh"]
    assert subprocess.run(script, env=environment, timeout=60, check=False).returncode == 0
    told = (tmp_path / "log").read_text()
    keys = {name: (tmp_path / "secrets" / f"objects_{name}_key").read_text() for name in ("manualqa", "milvus")}
    assert (tmp_path / "log.in").read_text() == "".join(f"{name}\n{key}" for name, key in keys.items())
    assert not [key for key in keys.values() if key.strip() in told]
    assert (tmp_path / "secrets" / "objects_root_password").read_text().strip() not in told
    for name in keys:
        assert f"mb --ignore-existing store/{name}\n" in told
        assert f"admin policy attach store only-{name} --user {name}\n" in told
