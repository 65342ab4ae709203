"""Locust's users: some ask and watch the stream, some search, some upload. Run by `eval.bench.traffic`.

Each does its thing once in two seconds or less often where the service is slower than that; the numbers of users make
the rate. From the environment: the key, the knowledge bases, and how many manuals the one that is asked has.
"""

from __future__ import annotations

import os
import random
import time

from locust import HttpUser, constant_throughput, events, task

KEY = os.environ["TRAFFIC_KEY"]
BASE, UPLOADS = os.environ["TRAFFIC_BASE"], os.environ["TRAFFIC_UPLOADS"]
CODES = int(os.environ["TRAFFIC_CODES"])
PER_USER_AND_SECOND = 0.5


class _User(HttpUser):  # type: ignore[misc]
    abstract = True
    wait_time = constant_throughput(PER_USER_AND_SECOND)

    def on_start(self) -> None:
        self.client.headers["Authorization"] = f"Bearer {KEY}"


class Asking(_User):
    """Asks and reads the answer as it comes."""

    weight = 40

    @task  # type: ignore[untyped-decorator]
    def ask(self) -> None:
        body = {"question": f"What does the code E-{random.randrange(CODES)} mean?", "stream": True}
        started, first, ended = time.perf_counter(), False, False
        with self.client.post(
            f"/v1/knowledge-bases/{BASE}/ask", json=body, stream=True, catch_response=True, name="ask, whole answer"
        ) as response:
            for line in response.iter_lines():
                if line.startswith(b"event:") and not first:
                    first = True
                    milliseconds = (time.perf_counter() - started) * 1000
                    events.request.fire(
                        request_type="SSE",
                        name="ask, first event",
                        response_time=milliseconds,
                        response_length=0,
                        exception=None,
                        context={},
                    )
                ended = ended or line.startswith(b"event: done")
            response.request_meta["response_time"] = (time.perf_counter() - started) * 1000  # not that of its headers
            if response.status_code < 400 and not ended:
                response.failure("no answer at the end")


class Searching(_User):
    """Searches."""

    weight = 10

    @task  # type: ignore[untyped-decorator]
    def search(self) -> None:
        body = {"question": f"code E-{random.randrange(CODES)}"}
        self.client.post(f"/v1/knowledge-bases/{BASE}/search", json=body, name="search")


class Uploading(_User):
    """Uploads small manuals that nobody has."""

    weight = 4

    @task  # type: ignore[untyped-decorator]
    def upload(self) -> None:
        number = random.randrange(10**9)
        text = f"# Pump {number}\n\nPump {number} gives {number % 977} l. P-{number % 9973} means that it is dry.\n"
        self.client.post(
            f"/v1/knowledge-bases/{UPLOADS}/documents",
            params={"name": f"pump-{number}.md"},
            data=text.encode(),
            name="upload",
        )
