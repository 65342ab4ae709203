"""The local model server's process: llama.cpp's OpenAI-compatible server, either a child on loopback that ends with its
parent, or alone as `manualqa model-server`.

The child is run as `python -m app.generate.engine_child`; the key comes in on standard input, so that no process list
shows it. Only user of `xllamacpp`.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PARENT_CHECK_SECONDS = 2.0
_PROMPT_CACHE_MB = 256
"""Prompts kept beside the slots' own: enough for the constant part in both languages.

None are kept where there are adapters: llama.cpp takes one up without a look at which adapter it was read with, and the
answer is another then.
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and where."""

    weights: Path
    port: int
    context_tokens: int
    slots: int
    threads: int
    adapters: tuple[Path, ...] = ()
    host: str = "127.0.0.1"


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or the parent's end; exit code 2 where the weights or an adapter are no such file."""
    parser = argparse.ArgumentParser(prog="engine_child")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context-tokens", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--adapter", type=Path, action="append", default=[], dest="adapters")
    args = parser.parse_args(argv)
    _end_with(args.parent)
    key = sys.stdin.readline().strip()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    serving = Serving(args.weights, args.port, args.context_tokens, args.slots, args.threads, tuple(args.adapters))
    return serve_until_stopped(serving, key, signal.SIGTERM)


def serve_until_stopped(serving: Serving, key: str, *stops: signal.Signals) -> int:
    """Serve until one of these signals, which ends the process; exit code 2 where a file is no such file."""
    for path in (serving.weights, *serving.adapters):  # llama.cpp aborts the process on one that it cannot read
        if not _is_gguf(path):
            print(f"no such file, or not a GGUF file: {path}", file=sys.stderr)  # noqa: T201 - this is the log
            return 2
    stopped = threading.Event()
    for stop in stops:
        signal.signal(stop, lambda *_: stopped.set())
    _kept = _serve(serving, key)
    stopped.wait()
    os._exit(0)  # at once: its own end waits for the step that it is in, and its threads may outlive the interpreter


def _serve(serving: Serving, key: str) -> object:
    import xllamacpp  # noqa: PLC0415 - an optional part, and heavy

    params = xllamacpp.CommonParams()
    params.model.path = str(serving.weights)
    params.hostnames = [serving.host]
    params.port = serving.port
    params.api_keys = [key]
    params.n_ctx = serving.context_tokens * serving.slots
    params.n_parallel = serving.slots
    params.cpuparams.n_threads = serving.threads
    params.cpuparams_batch.n_threads = serving.threads
    params.cache_prompt = True
    params.cache_ram_mib = 0 if serving.adapters else _PROMPT_CACHE_MB
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 1.0) for path in serving.adapters]
    params.lora_init_without_apply = True  # each request says which of them it wants
    return xllamacpp.Server(params)


def _is_gguf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def _end_with(parent: int) -> None:
    """Linux sends the signal itself; elsewhere, and for a parent that was gone already, a thread looks."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    waiting = threading.Event()
    while os.getppid() == parent:
        waiting.wait(_PARENT_CHECK_SECONDS)
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
