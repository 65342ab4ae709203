"""Starts the Milvus server of the wheel: `python standalone.py PACKAGE_FOLDER DATA_FOLDER PORT`; becomes that server.

It keeps etcd, log broker and storage in its own process and folder, so a SIGKILL ends all of Milvus at once. Its clocks
tick more often than by default (200 ms and 1 s), so that thousands of steps do not take most of their time waiting.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

package, data, port = Path(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3]
sys.path.insert(0, str(package))

from milvus import MilvusServerConfig  # noqa: E402 - found in the folder that was just named


class Config(MilvusServerConfig):  # type: ignore[misc]
    """With ports that a server which was killed a moment ago has left behind; Milvus itself takes them again, too."""

    def try_bind_port(self, port: int) -> socket.socket | None:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            return None


programs = package / "unpacked" / "bin"
config = Config(data_dir=str(data), proxy_port=int(port))
config.set("proxy.timeTickInterval", 40)
config.set("queryCoord.checkInterval", 100)
config.set("queryCoord.distPullInterval", 100)
metrics, held = config.resolve_port(19_091)
held.close()
config.resolve()
os.chdir(data)
environment = {
    **os.environ,
    "DEPLOY_MODE": "STANDALONE",
    "METRICS_PORT": str(metrics),
    "MILVUS_RUN_DIR": str(data / "run"),
    "LD_LIBRARY_PATH": f"{programs}:{os.environ.get('LD_LIBRARY_PATH', '')}",
}
program = str(programs / "milvus")
os.execve(program, [program, "run", "standalone"], environment)  # noqa: S606 - what the cache holds, no shell
