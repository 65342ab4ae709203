"""`manualqa model-server`: the local language model alone, in this process, for the servers of other machines."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
from typing import TYPE_CHECKING, Final

from app.errors import AddressUnusable, ExtraMissing, ModelServerKeyMissing
from app.generate.engine_child import Serving, serve_until_stopped
from app.models.store import ModelStore

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

_LEAST_KEY: Final = 32


def run_model_server(at: Terminal, host: str, port: int) -> int:
    """Serves until SIGTERM or Ctrl-C; raises `ModelServerKeyMissing`, `WeightsMissing`, `ExtraMissing` and
    `AddressUnusable`."""
    settings = at.settings
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else ""
    if len(key) < _LEAST_KEY:
        raise ModelServerKeyMissing
    if importlib.util.find_spec("xllamacpp") is None:
        raise ExtraMissing(feature="The local model server", extra="local")
    weights = ModelStore.from_settings(settings).resolve(settings.llm_model)
    _check_address(host, port)
    at.err.print(at.words("serving_model", name=weights.name, host=host, port=port), markup=False, highlight=False)
    serving = Serving(
        weights.path,
        port,
        settings.llm_context_tokens,
        settings.llm_slots,
        settings.llm_threads or os.cpu_count() or 1,
        host=host,
    )
    return serve_until_stopped(serving, key, signal.SIGTERM, signal.SIGINT)


def _check_address(host: str, port: int) -> None:
    """llama.cpp ends without a word where it cannot listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressUnusable(str(error), host=host, port=port) from error
