"""The law of port `BlobStore`; an implementation proves itself by inheriting `BlobStoreContract`."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import BlobDamaged, BlobStoreUnusable, BlobsUnavailable
from app.ingest.blobs.cache import BlobCache
from app.ingest.blobs.folder import FolderBlobs
from app.ingest.blobs.s3 import S3Blobs
from app.ports import BlobStore
from tests.fixtures.s3_server import BUCKET, SECRET_ACCESS_KEY, S3Server, an_s3_server
from tests.fixtures.waiting import wait_for
from tests.web.wire import Wire

DATA = b"%PDF-" + bytes(range(256)) * 400


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ABSENT = sha256_of(b"absent")


class BlobStoreContract:
    def open(self, root: Path) -> BlobStore:
        raise NotImplementedError

    def damage(self, root: Path, sha256: str, data: bytes) -> None:
        """Puts other bytes in the place of a blob, behind the store's back."""
        raise NotImplementedError

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def store(self, root: Path) -> BlobStore:
        return self.open(root)

    def kept(self, store: BlobStore, root: Path, data: bytes = DATA, *, staged: bool = True) -> str:
        source = root / "received.part"
        source.write_bytes(data)
        if staged:
            store.stage(sha256_of(data), source)
            assert source.read_bytes() == data
        store.keep(sha256_of(data), source)
        assert not source.exists()
        return sha256_of(data)

    @pytest.mark.parametrize("staged", [True, False])
    def test_what_was_kept_is_there(self, store: BlobStore, root: Path, staged: bool) -> None:
        sha256 = self.kept(store, root, staged=staged)
        with store.local(sha256) as path:
            assert path.read_bytes() == DATA
        assert store.digest(sha256) == sha256
        [blob] = store.all()
        assert (blob.sha256, blob.bytes) == (sha256, len(DATA))
        assert -60 < blob.age_seconds < 60

    def test_another_object_of_the_same_place_has_it(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root)
        with self.open(root).local(sha256) as path:
            assert path.read_bytes() == DATA

    def test_the_same_bytes_twice_are_one_blob(self, store: BlobStore, root: Path) -> None:
        assert self.kept(store, root) == self.kept(store, root)
        assert len(list(store.all())) == 1

    def test_what_is_absent(self, store: BlobStore) -> None:
        assert store.digest(ABSENT) is None
        assert list(store.all()) == []
        store.delete(ABSENT)
        with pytest.raises(FileNotFoundError), store.local(ABSENT):
            pass

    def test_deleted_is_gone_and_can_come_back(self, store: BlobStore, root: Path) -> None:
        sha256, other = self.kept(store, root), self.kept(store, root, b"other")
        store.delete(sha256)
        assert [blob.sha256 for blob in store.all()] == [other]
        assert store.digest(sha256) is None
        with pytest.raises(FileNotFoundError), store.local(sha256):
            pass
        self.kept(store, root)
        with store.local(sha256) as path:
            assert path.read_bytes() == DATA

    def test_what_was_staged_and_deleted_meanwhile_is_there_once_it_is_kept(self, store: BlobStore, root: Path) -> None:
        source = root / "received.part"
        source.write_bytes(DATA)
        store.stage(sha256_of(DATA), source)
        store.delete(sha256_of(DATA))
        store.keep(sha256_of(DATA), source)
        assert store.digest(sha256_of(DATA)) == sha256_of(DATA)

    def test_an_open_file_outlives_its_deletion(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root)
        with store.local(sha256) as path, path.open("rb") as file:
            store.delete(sha256)
            assert file.read() == DATA

    def test_other_bytes_in_its_place_are_noticed(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root)
        self.damage(root, sha256, DATA[:-1])
        assert self.open(root).digest(sha256) == sha256_of(DATA[:-1])

    def test_many_keep_and_read_at_once(self, store: BlobStore, root: Path) -> None:
        datas = [b"%d" % n * 5000 for n in range(6)]

        def keep_and_read(turn: int) -> bool:
            data = datas[turn % len(datas)]
            source = root / f"received-{turn}.part"
            source.write_bytes(data)
            store.stage(sha256_of(data), source)
            store.keep(sha256_of(data), source)
            with store.local(sha256_of(data)) as path:
                return path.read_bytes() == data

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(keep_and_read, range(24)))
        assert {blob.sha256 for blob in store.all()} == {sha256_of(data) for data in datas}

    @pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n", "手册"])
    def test_only_a_hash_is_a_place(self, store: BlobStore, root: Path, name: str) -> None:
        for ask in (store.digest, store.delete):
            with pytest.raises(ValueError, match="SHA-256"):
                ask(name)
        with pytest.raises(ValueError, match="SHA-256"), store.local(name):
            pass
        source = root / "received.part"
        source.write_bytes(b"x")
        with pytest.raises(ValueError, match="SHA-256"):
            store.keep(name, source)

    def test_it_can_be_used(self, store: BlobStore) -> None:
        store.check()


class TestFolder(BlobStoreContract):
    def open(self, root: Path) -> BlobStore:
        return FolderBlobs(root / "files")

    def damage(self, root: Path, sha256: str, data: bytes) -> None:
        FolderBlobs(root / "files").path(sha256).write_bytes(data)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with an_s3_server(tmp_path_factory.mktemp("s3") / "server") as server:
        yield server


class TestS3(BlobStoreContract):
    """Each test has a prefix of its own in the bucket, and a cache of its own for each store that it opens."""

    @pytest.fixture(autouse=True)
    def _server(self, server: S3Server) -> None:
        self.server = server

    def open(self, root: Path, limit_mb: int = 1000) -> BlobStore:
        caches = len(list(root.glob("cache-*")))
        return self.server.blobs(root / f"cache-{caches}", limit_mb, prefix=f"tests/{root.name[-40:]}")

    def damage(self, root: Path, sha256: str, data: bytes) -> None:
        from obstore.store import S3Store  # noqa: PLC0415

        store = self.open(root)
        inner: S3Store = store._store  # type: ignore[attr-defined]
        inner.put(f"{sha256[:2]}/{sha256}", data)

    def test_a_changed_object_reaches_no_reader(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root)
        self.damage(root, sha256, DATA[:-1] + b"!")
        reader = self.open(root)
        with pytest.raises(BlobDamaged), reader.local(sha256):
            pass
        assert [path.name for path in (root / "cache-2").iterdir()] == ["locks"]

    def test_a_fetched_blob_is_read_from_its_copy(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root)
        reader = self.open(root)
        with reader.local(sha256):
            pass
        self.damage(root, sha256, b"changed in the bucket")
        with reader.local(sha256) as path:
            assert path.read_bytes() == DATA

    def test_the_longest_unused_copy_goes_first_and_none_that_is_in_use(self, root: Path) -> None:
        store = self.open(root, limit_mb=1)
        datas = [bytes([n]) * 400_000 for n in range(4)]
        hashes = [self.kept(store, root, data) for data in datas]
        reader = self.open(root, limit_mb=1)
        copies = root / "cache-1"
        with reader.local(hashes[0]) as held:
            for sha256 in hashes[1:]:
                with reader.local(sha256):
                    pass
            assert held.read_bytes() == datas[0]
            assert {path.name for path in copies.iterdir()} == {"locks", hashes[0], hashes[3]}
        with reader.local(hashes[1]):
            pass
        assert {path.name for path in copies.iterdir()} == {"locks", hashes[1], hashes[3]}

    def test_a_file_larger_than_a_part_comes_and_goes_whole(self, store: BlobStore, root: Path) -> None:
        data = os.urandom(20_000_003)
        sha256 = self.kept(store, root, data)
        with self.open(root).local(sha256) as path:
            assert sha256_of(path.read_bytes()) == sha256

    def test_an_empty_file_too(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root, b"")
        with self.open(root).local(sha256) as path:
            assert path.read_bytes() == b""

    def test_many_readers_fetch_it_once(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root, os.urandom(2_000_000))
        reader = self.open(root)
        fetched = []
        fetch = reader._pieces  # type: ignore[attr-defined]

        def counted(*arguments: object) -> Iterator[memoryview]:
            fetched.append(arguments)
            return fetch(*arguments)  # type: ignore[no-any-return]

        reader._pieces = counted  # type: ignore[attr-defined]

        def read(_: int) -> int:
            with reader.local(sha256) as path:
                return path.stat().st_size

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(read, range(8))) == {2_000_000}
        assert len(fetched) == 1

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"bucket": "another-bucket"}, "there is no such bucket"),
            ({"secret_access_key": "wrong" + SECRET_ACCESS_KEY}, "the storage refuses the access key"),
            ({"access_key_id": "nobody"}, "the storage refuses the access key"),
        ],
    )
    def test_a_refusal_says_why_and_no_secret(self, root: Path, changes: dict[str, str], reason: str) -> None:
        place = self.server.place(**changes)
        store = S3Blobs(place, BlobCache(root / "cache", 1, 0))
        with pytest.raises(BlobStoreUnusable) as refused:
            store.check()
        assert refused.value.params["reason"] == reason
        for told in (str(refused.value), str(refused.value.detail), repr(place)):
            assert SECRET_ACCESS_KEY not in told
        with pytest.raises(BlobsUnavailable):
            store.digest(ABSENT)
        with pytest.raises(BlobsUnavailable):
            list(store.all())

    def test_a_storage_that_is_away_is_told_and_comes_back(self, store: BlobStore, root: Path) -> None:
        sha256 = self.kept(store, root)
        reader = self.open(root)
        self.server.stop()
        try:
            source = root / "received.part"
            source.write_bytes(b"other")
            for ask in (
                store.check,
                lambda: store.digest(sha256),
                lambda: store.delete(sha256),
                lambda: list(store.all()),
                lambda: store.stage(sha256_of(b"other"), source),
                lambda: reader.local(sha256).__enter__(),
            ):
                with pytest.raises(BlobsUnavailable):
                    ask()
            with store.local(sha256) as path:  # the copy is there
                assert path.read_bytes() == DATA
        finally:
            self.server.start()
        with reader.local(sha256) as path:
            assert path.read_bytes() == DATA

    def test_a_storage_that_does_not_answer_costs_no_more_than_its_time(self, root: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            place = self.server.place(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
            store = S3Blobs(replace(place, connect_seconds=0.3, request_seconds=0.3), BlobCache(root / "cache", 1, 0))
            with pytest.raises(BlobsUnavailable):
                store.digest(ABSENT)

    def test_an_upload_that_is_killed_midway_leaves_nothing_to_be_seen(self, store: BlobStore, root: Path) -> None:
        """The line takes a part and no more: at that moment the whole process is killed."""
        line = _Stalling(self.server.url, after=4_000_000)
        source = root / "received.part"
        source.write_bytes(os.urandom(40_000_000))
        arguments = [line.url, str(source), str(root / "cache-killed"), f"tests/{root.name[-40:]}", BUCKET]
        uploader = subprocess.Popen([sys.executable, "-c", _UPLOADS, *arguments])
        try:
            assert wait_for(line.is_full, 60)
            assert uploader.poll() is None
        finally:
            uploader.send_signal(signal.SIGKILL)
            uploader.wait()
            line.close()
        assert list(store.all()) == []
        self.kept(store, root, source.read_bytes())
        assert len(list(store.all())) == 1

    def test_processes_that_share_a_cache_take_no_file_from_under_a_reader(self, store: BlobStore, root: Path) -> None:
        datas = [bytes([n]) * 400_000 for n in range(5)]
        hashes = [self.kept(store, root, data) for data in datas]
        arguments = [self.server.url, ",".join(hashes), str(root / "shared"), f"tests/{root.name[-40:]}", BUCKET]
        command = [sys.executable, "-c", _READS_BY_PATH, *arguments]
        readers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        for reader in readers:
            _, said = reader.communicate()
            assert reader.returncode == 0, said
        left = [path for path in (root / "shared").iterdir() if path.name != "locks"]
        assert sum(path.stat().st_size for path in left) <= 1_000_000
        assert {path.name for path in left} <= set(hashes)

    def test_a_file_of_200_mb_costs_little_memory(self, store: BlobStore, root: Path) -> None:
        source = root / "received.part"
        with source.open("wb") as file:
            for _ in range(50):
                file.write(os.urandom(4_000_000))
        arguments = [self.server.url, str(source), str(root / "cache-large"), f"tests/{root.name[-40:]}", BUCKET]
        done = subprocess.run(
            [sys.executable, "-c", _KEEPS_AND_READS, *arguments], capture_output=True, text=True, check=True
        )
        grown_mb = float(done.stdout)
        print(f"200 MB kept, compared and read: {grown_mb:.0f} MB more of memory")  # noqa: T201
        assert grown_mb < 60
        assert [blob.bytes for blob in store.all()] == [200_000_000]


class _Stalling(Wire):
    """A line that passes on so many bytes to the server, and then none."""

    def __init__(self, server: str, after: int) -> None:
        self._left = after
        self._counting = threading.Lock()
        self._full = threading.Event()
        super().__init__(server)

    def is_full(self) -> bool:
        return self._full.is_set()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        if target.getpeername() != self._server:
            super()._pump(source, target)
            return
        while piece := source.recv(1 << 16):
            with self._counting:
                self._left -= len(piece)
                if self._left < 0:
                    self._full.set()
            if self._full.is_set():
                return
            target.sendall(piece)


_OPENS = """
import hashlib, sys
from pathlib import Path
from app.ingest.blobs.cache import BlobCache
from app.ingest.blobs.s3 import S3Blobs, S3Place
url, source, cache, prefix, bucket = sys.argv[1:]
place = S3Place(bucket, prefix, "us-east-1", url, "tests-access-key", "tests-secret-key", 10.0, 120.0)
"""
_READS_BY_PATH = f"""{_OPENS}
store = S3Blobs(place, BlobCache(Path(cache), 1, 0))
for turn in range(60):
    sha256 = source.split(",")[(turn * 7 + turn // 5) % 5]
    with store.local(sha256) as path:
        for _ in range(3):
            with open(path, "rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
"""
_HASHES = f"""{_OPENS}
store = S3Blobs(place, BlobCache(Path(cache), 1000, 0))
with open(source, "rb") as file:
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
"""
_UPLOADS = f"{_HASHES}store.stage(sha256, Path(source))"
_KEEPS_AND_READS = f"""{_HASHES}
def most_mb():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1000
store.check()
before = most_mb()
store.stage(sha256, Path(source))
store.keep(sha256, Path(source))
assert store.digest(sha256) == sha256
other = S3Blobs(place, BlobCache(Path(cache + "-other"), 1000, 0))
with other.local(sha256) as path:
    assert path.stat().st_size == 200_000_000
print(most_mb() - before)
"""
