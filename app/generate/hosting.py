"""Adapters in the server of the language model: the local one, which is given new files, or vLLM, which is called."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

import httpx
import structlog

from app.errors import AdapterInvalid, HostingFailed
from app.generate.adapter_gguf import write_adapter
from app.generate.engine import LocalEngine
from app.generate.model_server import LoadedAdapter
from app.types import PromptKind

log = structlog.get_logger(__name__)

_GGUF: Final = "adapter.gguf"
_CONNECT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 10.0
"""Longest wait for the list of what is loaded, which is read from no disk."""
_OURS: Final = re.compile(r"ad-[0-9a-f]{16}")
"""Ids of our adapters; whatever else vLLM serves is somebody else's."""


@dataclass(frozen=True, slots=True)
class ServedAdapter:
    """An adapter as a model server gets it: its id, its PEFT folder, and how it is asked."""

    id: str
    folder: Path
    sha256: str
    prompt: PromptKind
    context_tokens: int | None


class AdapterHost(Protocol):
    """The adapters of a model server.

    Law: `set` makes the server serve exactly these beside its base model, and returns once they can be asked; it may be
    called again with the same ones. No request fails for it, but those to an adapter that goes. `begin` tells the same
    before the server starts, and waits for nothing. `hosted` says which there are, and `agree` whether all servers
    behind it had the same then. All raise `HostingFailed`, whose
    `adapter`, where it is given, is the id of the one to blame; what was served before still is then.
    """

    def begin(self, adapters: Sequence[ServedAdapter]) -> None: ...

    def hosted(self) -> frozenset[str]: ...

    def agree(self) -> bool: ...

    def set(self, adapters: Sequence[ServedAdapter]) -> None: ...


class EngineHost:
    """The adapters of the local model server, beside each PEFT folder a file in the server's own format."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._written: dict[str, str] = {}

    def begin(self, adapters: Sequence[ServedAdapter]) -> None:
        self.set(adapters)

    def hosted(self) -> frozenset[str]:
        return self._engine.adapters()

    def agree(self) -> bool:
        return True

    def set(self, adapters: Sequence[ServedAdapter]) -> None:
        self._engine.serve([LoadedAdapter(adapter.id, self._file(adapter)) for adapter in adapters])

    def _file(self, adapter: ServedAdapter) -> Path:
        """The adapter's file; each process writes it anew once, from files that were just checked."""
        path = adapter.folder.parent / _GGUF
        if self._written.get(adapter.id) != adapter.sha256 or not path.is_file():
            try:
                write_adapter(adapter.folder, path)
            except AdapterInvalid as error:
                raise HostingFailed(error.detail, reason=error.params["reason"], adapter=adapter.id) from error
            except OSError as error:
                raise HostingFailed(
                    repr(error), reason=error.strerror or "unknown fault", adapter=adapter.id
                ) from error
            self._written[adapter.id] = adapter.sha256
        return path


class VllmHost:
    """The adapters of a vLLM server, by its calls for loading and unloading while it serves.

    `base_url` ends in `/v1` and is an address that users do not reach: whoever may call it can load any folder that the
    server sees. `adapters_dir` is where it sees our folder of adapters, None for the same place as we do.
    """

    def __init__(self, base_url: str, api_key: str, adapters_dir: Path | None, seconds: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._adapters_dir = adapters_dir
        self._timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        self._look_timeout = httpx.Timeout(min(seconds, _LOOK_SECONDS), connect=_CONNECT_SECONDS)

    def begin(self, adapters: Sequence[ServedAdapter]) -> None:
        """Nothing: it runs already, or comes up when it likes."""

    def hosted(self) -> frozenset[str]:
        response = self._call(lambda client: client.get("/models", timeout=self._look_timeout))
        if response.status_code != httpx.codes.OK:
            raise HostingFailed(response.text[:500], reason=f"HTTP {response.status_code}")
        try:
            names = [model["id"] for model in response.json()["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise HostingFailed(repr(error), reason="its reply broke off or is not understood") from error
        return frozenset(name for name in names if isinstance(name, str) and _OURS.fullmatch(name))

    def agree(self) -> bool:
        return True

    def set(self, adapters: Sequence[ServedAdapter]) -> None:
        there = self.hosted()
        self.load(adapters, there)
        self.unload(there - {adapter.id for adapter in adapters})

    def load(self, adapters: Sequence[ServedAdapter], there: frozenset[str]) -> None:
        """Those of them that are not there yet."""
        for adapter in adapters:
            if adapter.id not in there:
                self._load(adapter)

    def unload(self, names: frozenset[str]) -> None:
        """All of these, also where one is gone already."""
        for name in sorted(names):
            self._unload(name)

    def _load(self, adapter: ServedAdapter) -> None:
        folder = adapter.folder.resolve()
        if self._adapters_dir is not None:
            folder = self._adapters_dir / adapter.id / adapter.folder.name
        body = {"lora_name": adapter.id, "lora_path": str(folder)}
        response = self._call(lambda client: client.post("/load_lora_adapter", json=body))
        if response.status_code == httpx.codes.OK or _is_loaded(response):
            log.info("adapter_loaded", adapter_id=adapter.id)
            return
        detail = f"{folder}: {response.text[:500]}"
        if response.status_code != httpx.codes.NOT_FOUND:
            reason = f"vLLM refuses adapter {adapter.id}: HTTP {response.status_code}"
            raise HostingFailed(detail, reason=reason, adapter=adapter.id)
        if "error" not in response.text:  # the call itself is not known
            raise HostingFailed(detail, reason="the endpoint loads no adapters; docs/gpu.md says how to start vLLM")
        reason = f"vLLM does not find the folder of adapter {adapter.id}; MQA_VLLM_ADAPTERS_DIR says where it is there"
        raise HostingFailed(detail, reason=reason, adapter=adapter.id)

    def _unload(self, name: str) -> None:
        response = self._call(lambda client: client.post("/unload_lora_adapter", json={"lora_name": name}))
        if response.status_code not in (httpx.codes.OK, httpx.codes.NOT_FOUND):
            raise HostingFailed(response.text[:500], reason=f"HTTP {response.status_code}")
        log.info("adapter_unloaded", adapter_id=name)

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """The certificates that are trusted, read once: that takes longer than a call."""
        return httpx.create_ssl_context()

    def _call(self, send: Callable[[httpx.Client], httpx.Response]) -> httpx.Response:
        try:
            with httpx.Client(
                base_url=self._base_url, headers=self._headers, timeout=self._timeout, verify=self._trusted
            ) as client:
                return send(client)
        except httpx.TimeoutException as error:
            raise HostingFailed(repr(error), reason="too slow") from error
        except httpx.HTTPError as error:
            raise HostingFailed(repr(error), reason="no connection") from error


def _is_loaded(response: httpx.Response) -> bool:
    """Whether it refused to load what it has already: another call was faster."""
    return response.status_code == httpx.codes.BAD_REQUEST and "already been loaded" in response.text
