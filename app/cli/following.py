"""Jobs on their way: followed through the server's events, shown as bars, one line for each that has ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from app.cli.client import Client, ServerError
from app.cli.watch import LOST
from app.cli.words import Words
from app.errors import ManualqaError, ServerNotRunning

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]
NOT_FOUND = 404
JOIN_SECONDS = 5.0
TENFOLD = 10


class Board:
    """Bars of uploads and running jobs; what is over becomes a line above them. Any thread may call it."""

    def __init__(self, at: Terminal, *, quiet: bool) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(16))
        note = TextColumn("{task.fields[note]}", markup=False)
        self._bars = Progress(*columns, note, TimeElapsedColumn(), console=at.err)
        self._words = at.words
        self._quiet = quiet
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def sending(self, name: str, size: int) -> TaskID:
        """A bar for the upload of so many bytes."""
        return self._bars.add_task(name, total=size or 1, note=self._words("uploading"))

    def sent(self, task: TaskID, count: int) -> None:
        """So many bytes more."""
        self._bars.advance(task, count)

    def end_sending(self, task: TaskID) -> None:
        self._bars.remove_task(task)

    def show(self, job: Json, name: str) -> None:
        """Where the job is now; one that waits has no bar, and one that has ended no more."""
        with self._lock:
            task = self._tasks.get(job["id"])
            if job["state"] == "running":
                if task is None:
                    task = self._tasks[job["id"]] = self._bars.add_task(name, total=1, note="")
                done, total = share(job)
                self._bars.update(task, completed=done, total=total, note=progress_note(self._words, job))
            elif task is not None:
                self._bars.remove_task(self._tasks.pop(job["id"]))

    def say(self, name: str, text: str, *, bad: bool = False) -> None:
        """A line above the bars, unless JSON is wanted."""
        if not self._quiet:
            line = Text(self._words("line", name=name, text=text), style="red" if bad else "")
            self._bars.console.print(line, soft_wrap=True)


class Following:
    """Follows jobs on a thread of its own; `wait` returns when every expected one has ended.

    What the events leave out, ends during a broken connection and jobs that are gone, is asked for.
    """

    def __init__(self, at: Terminal, client: Client, board: Board, knowledge_base_id: str | None) -> None:
        self._client = client
        self._board = board
        self._words = at.words
        params = {"knowledge_base_id": knowledge_base_id} if knowledge_base_id else {}
        self._watch = client.watch("/v1/jobs/events", **params)
        self._changed = threading.Condition()
        self._names: dict[str, str] = {}
        self._last: dict[str, Json] = {}
        self._ended: dict[str, Json | None] = {}
        self._error: ManualqaError | None = None
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._thread.join(JOIN_SECONDS)

    def expect(self, job: Json, name: str) -> None:
        """Shows this job under a name from now on, and lets `wait` wait for it."""
        with self._changed:
            self._names[job["id"]] = name
            self._take(self._last.get(job["id"], job))

    def waiting(self) -> list[str]:
        """Ids of the expected jobs that have not ended."""
        with self._changed:
            return [job_id for job_id in self._names if job_id not in self._ended]

    def wait(self) -> dict[str, Json | None]:
        """The expected jobs as they ended, None for one that is gone; raises what the connection raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or self._ended.keys() >= self._names.keys())
            if self._error is not None:
                raise self._error
            return dict(self._ended)

    def _run(self) -> None:
        try:
            for event, data in self._watch:
                if event == "job":
                    with self._changed:
                        self._take(data)
                elif event == LOST:
                    self._board.say(self._client.url, self._words("connection_lost"))
                else:
                    self._ask()
        except ManualqaError as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _ask(self) -> None:
        for job_id in self.waiting():
            try:
                job = self._client.get(f"/v1/jobs/{job_id}")
            except ServerNotRunning:  # the watch connects again, or gives up
                return
            except ServerError as error:
                if error.server_status != NOT_FOUND:
                    raise
                job = None
            with self._changed:
                if job is None:
                    self._end(job_id, None)
                else:
                    self._take(job)

    def _take(self, job: Json) -> None:
        name = self._names.get(job["id"])
        if name is None:
            self._last[job["id"]] = job
        elif job["id"] not in self._ended:
            self._board.show(job, job["document_name"] or name)
            if job["ended_at"]:
                self._end(job["id"], job)

    def _end(self, job_id: str, job: Json | None) -> None:
        self._ended[job_id] = job
        self._board.say(
            self._names[job_id], end_note(self._words, job), bad=job is not None and job["state"] == "failed"
        )
        self._changed.notify_all()


def share(job: Json) -> tuple[float, float]:
    """(done, total) of what the job is at."""
    if job["kind"] == "rebuild":
        return job["documents_done"], job["documents_total"] or 1
    if job["stage"] in ("waiting", "parsing", "recognising"):
        return job["pages_done"], job["pages_total"] or 1
    return job["chunks_done"], job["chunks_total"] or 1


def progress_note(words: Words, job: Json) -> str:
    """Stage, counts, speed and time left, as far as they are known."""
    parts = []
    if job["kind"] == "rebuild":
        parts.append(words("of_documents", done=job["documents_done"], total=job["documents_total"] or "?"))
    if job["stage"] in ("parsing", "recognising"):
        pages = words("of_pages", done=job["pages_done"], total=job["pages_total"] or "?")
        parts.append(words("doing", stage=words(job["stage"]), done=pages))
    elif job["stage"] == "embedding":
        chunks = words("of_chunks", done=job["chunks_done"], total=job["chunks_total"] or "?")
        parts.append(words("doing", stage=words(job["stage"]), done=chunks))
    else:
        parts.append(words(job["stage"]))
    if job["pages_per_second"]:
        parts.append(words("pages_per_second", speed=_speed(job["pages_per_second"])))
    if job["chunks_per_second"]:
        parts.append(words("chunks_per_second", speed=_speed(job["chunks_per_second"])))
    if job["seconds_left"] is not None:
        minutes, seconds = divmod(round(job["seconds_left"]), 60)
        parts.append(words("time_left", time=f"{minutes}:{seconds:02}"))
    return words("comma").join(parts)


def end_note(words: Words, job: Json | None) -> str:
    """How a job ended, in a few words; None is a job that is gone."""
    if job is None:
        return words("gone")
    if job["state"] == "failed" and job["error"]:
        return str(job["error"]["message"])
    if job["state"] == "done" and job["kind"] == "ingest":
        return words("ready_with", pages=job["pages_total"] or "?")
    return words(f"state_{job['state']}")


def _speed(value: float) -> str:
    return f"{value:.0f}" if value >= TENFOLD else f"{value:.1f}"
