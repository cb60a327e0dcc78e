"""Shards behind a server that stalls, cuts, refuses and lies: retried, continued, skipped, told once."""

import hashlib
import multiprocessing
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from shard_server import ShardServer, serving, write_shards

from gan_colorize.data import download as downloads
from gan_colorize.data.download import Patience, Unavailable, download
from gan_colorize.data.folder import open_source, open_sources
from gan_colorize.data.remote import RemoteSource, ShardGone
from gan_colorize.data.remote_open import open_remote
from gan_colorize.data.shard_cache import RemoteShard, ShardCache
from gan_colorize.errors import UserError

_COUNTS = [5, 3, 4, 6]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little time for everything, and a cache of the test's own."""
    monkeypatch.setattr(downloads, "PATIENCE", Patience(stall=0.3, give_up=0.8, first_pause=0.02))
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ShardServer]:
    write_shards(tmp_path / "shards", _COUNTS)
    with serving(tmp_path / "shards") as server:
        yield server


def pattern(server: ShardServer) -> str:
    return f"{server.url}/train-{{000000..000003}}.tar"


def truth(folder: Path) -> bytes:
    return (folder / "train-000000.tar").read_bytes()


def test_everything_is_read_and_nothing_fetched_before(server: ShardServer) -> None:
    source = open_source(pattern(server))
    assert isinstance(source, RemoteSource) and len(source) == sum(_COUNTS)
    assert sum(server.requests.values()) == 1  # the index
    local = open_source(server.folder)
    assert [source.read(i) for i in range(len(source))] == [local.read(i) for i in range(len(local))]
    assert all(server.requests[f"train-{shard:06d}.tar"] == 1 for shard in range(4))
    assert source.name(5) == f"{server.url}/train-000001.tar/000005.png"
    copy = pickle.loads(pickle.dumps(source))
    assert copy.read(7) == local.read(7) and sum(server.requests.values()) == 5


@pytest.mark.parametrize(
    "faults",
    [
        [503, 429, 500],
        [("cut", 1500), ("cut", 2000), ("cut", 10)],
        [("stall", 1500)],
        [("cut", 5000), ("stall", 0), 503, ("cut", 3)],
        [("wrong",)],
    ],
    ids=str,
)
@pytest.mark.parametrize("ranges", [True, False])
def test_trouble_that_passes(server: ShardServer, tmp_path: Path, faults: list, ranges: bool) -> None:
    server.ranges = ranges
    server.fail("train-000000.tar", *faults)
    whole = truth(server.folder)
    found = download(
        f"{server.url}/train-000000.tar",
        tmp_path / "copy",
        size=len(whole),
        sha256=hashlib.sha256(whole).hexdigest(),
    )
    assert (tmp_path / "copy").read_bytes() == whole
    assert found == hashlib.sha256(whole).hexdigest()
    assert server.requests["train-000000.tar"] == len(faults) + 1


def test_a_cut_download_goes_on_where_it_was(server: ShardServer, tmp_path: Path) -> None:
    server.fail("train-000000.tar", ("cut", 4000), ("cut", 1000))
    download(f"{server.url}/train-000000.tar", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == truth(server.folder)
    assert server.ranges_asked == ["bytes=4000-", "bytes=5000-"]
    assert server.bytes_sent == len(truth(server.folder))


def test_a_file_that_changes_under_way_is_read_anew(server: ShardServer, tmp_path: Path) -> None:
    server.fail("train-000000.tar", ("cut", 4000))
    before = server.etag
    original = server.next_fault

    def change(name: str) -> object:
        fault = original(name)
        if server.requests[name] == 2:
            server.etag = '"2"'
            (server.folder / name).write_bytes(b"x" * 9000)
        return fault

    server.next_fault = change
    download(f"{server.url}/train-000000.tar", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"x" * 9000 and server.etag != before


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        (404, "404 Not Found", 1),
        (403, "403 Forbidden", 1),
        (503, "503 Service Unavailable; given up", None),
        (("stall", 0), "no byte for 0.3 s", None),
        (("cut", 0), "cut", None),
        (("wrong",), "sha256", 2),
        (("drip", 0.05), "bytes a second", None),
    ],
    ids=str,
)
def test_trouble_that_stays(
    server: ShardServer, tmp_path: Path, fault: object, reason: str, requests: int | None
) -> None:
    server.always("train-000000.tar", fault)
    sha256 = hashlib.sha256(truth(server.folder)).hexdigest()
    with pytest.raises(Unavailable, match=reason) as caught:
        download(f"{server.url}/train-000000.tar", tmp_path / "copy", sha256=sha256)
    assert "\n" not in str(caught.value) and server.url in str(caught.value)
    made = server.requests["train-000000.tar"]
    assert made == requests if requests else made > 1


def test_the_length_is_checked_before_anything_is_written(server: ShardServer, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="5 by the index"):
        download(f"{server.url}/train-000000.tar", tmp_path / "copy", size=5)
    assert not (tmp_path / "copy").exists()


def test_nobody_listens(server: ShardServer, tmp_path: Path) -> None:
    with serving(tmp_path) as other:
        url = other.url
    with pytest.raises(UserError, match="refused"):
        open_remote(f"{url}/train-{{000000..000003}}.tar")


def test_secrets_stay_out_of_messages(server: ShardServer, tmp_path: Path) -> None:
    url = f"{server.url}/nothing.tar?X-Signature=secret".replace("//", "//user:password@")
    with pytest.raises(Unavailable) as caught:
        download(url, tmp_path / "copy")
    assert "secret" not in str(caught.value) and "password" not in str(caught.value)


def test_offline_what_is_there_is_enough(server: ShardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_source(pattern(server))
    data = first.read(0)
    asked = sum(server.requests.values())
    monkeypatch.setenv("GAN_COLORIZE_OFFLINE", "1")
    source = open_source(pattern(server))
    assert source.read(0) == data and len(source) == len(first)
    with pytest.raises(ShardGone, match="GAN_COLORIZE_OFFLINE"):
        source.read(5)
    with pytest.raises(UserError, match="GAN_COLORIZE_OFFLINE"):
        open_source(f"{server.url}/other/train-000000.tar")
    assert sum(server.requests.values()) == asked


def test_a_login_in_the_address(server: ShardServer, tmp_path: Path) -> None:
    url = f"{server.url}/train-000000.tar".replace("//", "//Aladdin:open%20sesame@")
    download(url, tmp_path / "copy")
    assert server.authorization == ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]  # RFC 7617, section 2


def test_a_full_disk(server: ShardServer, small_disk: Path) -> None:
    write_shards(server.folder, [40], size=200)
    (server.folder / "train-000000.tar").open("ab").write(bytes(100_000))
    (server.folder / "index.json").unlink()
    source_folder = small_disk / "shards"
    cache = ShardCache(source_folder, 1.0)
    with pytest.raises(Unavailable, match=r"cannot be kept in .*No space left") as caught:
        cache.fetch(RemoteShard(f"{server.url}/train-000000.tar"))
    assert "\n" not in str(caught.value) and not list(source_folder.glob("*.tar"))


def test_a_shard_that_is_gone(server: ShardServer) -> None:
    source = open_source(pattern(server))
    (server.folder / "train-000001.tar").unlink()
    for i in (5, 6, 7):
        with pytest.raises(ShardGone, match="404") as caught:
            source.read(i)
        assert not caught.value.hopeless
    assert server.requests["train-000001.tar"] == 1  # a failure is remembered
    assert source.read(8) == open_source(server.folder / "train-000002.tar").read(0)
    other = pickle.loads(pickle.dumps(source))
    with pytest.raises(ShardGone, match="404"):
        other.read(5)
    assert server.requests["train-000001.tar"] == 1  # by other processes too


def test_all_shards_are_gone(server: ShardServer) -> None:
    source = open_source(pattern(server))
    for path in server.folder.glob("*.tar"):
        path.unlink()
    hopeless = []
    for i in (0, 5, 8, 12):
        with pytest.raises(ShardGone) as caught:
            source.read(i)
        hopeless.append(caught.value.hopeless)
    assert hopeless == [False, False, False, True]


def _fetch(cache: ShardCache, shard: RemoteShard) -> None:
    cache.read(shard, 0, 100)


def test_two_processes_fetch_a_shard_once(server: ShardServer, tmp_path: Path) -> None:
    server.fail("train-000000.tar", ("stall", 3000))  # time for the others to come
    whole = truth(server.folder)
    shard = RemoteShard(f"{server.url}/train-000000.tar", len(whole), hashlib.sha256(whole).hexdigest())
    cache = ShardCache(tmp_path / "shared", 1.0)
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    processes = [context.Process(target=_fetch, args=(cache, shard)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert server.requests["train-000000.tar"] == 2  # one process: an attempt that stalled, and the rest
    assert server.bytes_sent == len(whole)


def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago(
    server: ShardServer, tmp_path: Path
) -> None:
    sizes = [path.stat().st_size for path in sorted(server.folder.glob("*.tar"))]
    source = open_source(pattern(server))
    cache = source.cache = ShardCache(tmp_path / "small", (sizes[0] + sizes[1] + sizes[2]) / 1e9)
    held = []

    def look() -> set[int]:
        files = [path for path in cache.folder.iterdir() if path.suffix == ".tar"]
        held.append(sum(path.stat().st_size for path in files))
        return {number for number, shard in enumerate(source.shards) if cache.has(shard)}

    for age, i in enumerate((0, 5, 8)):
        source.read(i)
        os.utime(cache.path(source.shards[source.shard_of(i)]), (100 + age, 100 + age))
    assert look() == {0, 1, 2}
    cache._touched.clear()
    source.read(1)  # shard 0 is used again
    source.read(12)
    assert look() >= {0, 3} and 1 not in look()
    for _ in range(3):
        for i in range(len(source)):
            source.read(i)
            look()
    assert max(held) <= cache.limit


def test_a_shard_larger_than_the_cache(server: ShardServer, tmp_path: Path) -> None:
    source = open_source(pattern(server))
    source.cache = ShardCache(tmp_path / "tiny", 1e-6)
    with pytest.raises(ShardGone, match=r"data\.shard_cache_gigabytes"):
        source.read(0)
    assert server.requests["train-000000.tar"] == 1 and not list(source.cache.folder.glob("*.tar"))


def test_a_killed_download_leaves_nothing_that_counts(server: ShardServer, tmp_path: Path) -> None:
    source = open_source(pattern(server))
    cache = source.cache = ShardCache(tmp_path / "small", sum(s.size for s in source.shards[:2]) / 1e9)
    cache.folder.mkdir()
    (cache.folder / f".part-{'0' * 32}.tar").write_bytes(bytes(source.shards[0].size))
    source.read(0), source.read(5)
    assert sorted(path.name for path in cache.folder.glob("*.tar")) == sorted(
        cache.path(shard).name for shard in source.shards[:2]
    )


def test_shards_without_an_index(server: ShardServer, caplog: pytest.LogCaptureFixture) -> None:
    indexed = open_source(pattern(server))
    (server.folder / "index.json").unlink()
    (server.folder / "train-000002.tar").unlink()
    seen: list[tuple[int, int]] = []
    source = open_remote(pattern(server), progress=lambda *p: seen.append(p))
    assert len(source) == 14 and seen == [(n, 4) for n in (1, 2, 3, 4)]
    assert source.missing == [(f"{server.url}/train-000002.tar", "404 Not Found")]
    assert [source.name(i) for i in (0, 13)] == [indexed.name(i) for i in (0, 17)]
    assert [source.read(i) for i in (0, 13)] == [indexed.read(i) for i in (0, 17)]
    assert source.widths.tolist() == [40] * 14 and "--index-only" in caplog.text
    asked = server.requests["train-000003.tar"]
    again = open_remote(pattern(server))
    assert again.fingerprint() == source.fingerprint() and again.read(13) == source.read(13)
    assert server.requests["train-000003.tar"] == asked == 1  # what was seen is kept, and so is the shard


def test_an_index_that_is_none(server: ShardServer) -> None:
    for text, message in (("{}", "not an index"), ("oops", "not JSON"), (None, "damaged index")):
        path = server.folder / "index.json"
        path.write_text(path.read_text().replace('"sizes":[', '"sizes":[1,', 1) if text is None else text)
        with pytest.raises(UserError, match=message) as caught:
            open_source(pattern(server))
        assert "index.json" in str(caught.value)
        write_shards(server.folder, _COUNTS)


def test_file_addresses_are_read_where_they_lie(server: ShardServer) -> None:
    source = open_source(f"file:{server.folder}/train-{{000000..000003}}.tar")
    assert isinstance(source, RemoteSource)
    assert source.read(9) == open_source(server.folder).read(9) and not source.cache.folder.is_dir()
    (server.folder / "train-000000.tar").write_bytes(b"")
    with pytest.raises(ShardGone, match="by its index"):
        source.read(0)


@pytest.mark.skipif(os.name != "posix", reason="a program written as a shell script")
@pytest.mark.parametrize("scheme", ["s3", "gs", "pipe"])
def test_programs(server: ShardServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """WebDataset runs the stores' own programs; here they are a copy from a folder, which fails at first."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = f"""#!/bin/sh
for argument; do case "$argument" in s3://*|gs://*) name="${{argument##*/}}";; esac; done
echo "$*" >> {tmp_path}/calls
if [ ! -e {tmp_path}/failed-$name ]; then
    : > {tmp_path}/failed-$name; head -c 700 {server.folder}/$name; exit 1
fi
exec cat {server.folder}/$name
"""
    for name in ("aws", "gsutil"):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    if scheme == "pipe":
        source = open_source("pipe:aws s3 cp s3://bucket/train-{000000..000003}.tar -")
    else:
        source = open_source(f"{scheme}://bucket/train-{{000000..000003}}.tar")
    local = open_source(server.folder)
    assert [source.read(i) for i in range(18)] == [local.read(i) for i in range(18)]
    calls = (tmp_path / "calls").read_text()
    words = "cat gs://bucket/train-000003.tar" if scheme == "gs" else "s3://bucket/train-000003.tar -"
    assert calls.count(words) == 2  # each shard was asked for again after the cut, and once only
    (server.folder / "train-000000.tar").unlink()
    source.cache = ShardCache(tmp_path / "other", 1.0)
    with pytest.raises(ShardGone, match="status 1"):
        source.read(0)


def test_a_program_that_is_not_there_or_never_ends(
    server: ShardServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable, match="no byte for"):
        began = time.monotonic()
        download("pipe:sleep 60", tmp_path / "copy")
    assert time.monotonic() - began < 30
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="aws is not installed"):
        download("s3://bucket/x.tar", tmp_path / "copy")
    with pytest.raises(Unavailable, match="no gopen handler"):
        download("gopher://bucket/x.tar", tmp_path / "copy")


def test_rewritten_addresses(server: ShardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """WebDataset's GOPEN_REWRITE: mirrors without another command line."""
    monkeypatch.setenv("GOPEN_REWRITE", f"https://shards.example/={server.url}/")
    source = open_source("https://shards.example/train-{000000..000003}.tar")
    assert source.read(4) == open_source(server.folder).read(4)


def test_joined_with_files(server: ShardServer, pictures: Path) -> None:
    source = open_sources([pictures, pattern(server)])
    assert len(source) == 12 + 18
    assert source.read(12) == open_source(server.folder).read(0)


def test_a_shard_named_twice(server: ShardServer) -> None:
    with pytest.raises(UserError, match="named twice"):
        open_source(f"{server.url}/train-000000.tar::{server.url}/train-{{000000..000001}}.tar")
