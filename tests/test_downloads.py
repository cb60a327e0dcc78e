"""Downloads from a server of our own: what is kept is whole and the published file, or nothing is."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from gan_colorize import downloads
from gan_colorize.downloads import DownloadFailed, RemoteFile, WrongFile, fetch, torchvision_file
from gan_colorize.errors import UserError
from gan_colorize.offline import check_online, is_offline

CONTENT = bytes(range(256)) * 400


class Server(http.server.BaseHTTPRequestHandler):
    """/whole, /cut (ends before the end that it announced), /other (another file), /endless (no length)."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind = self.path.strip("/").partition("-")[0]
        if kind == "missing":
            self.send_error(404)
            return
        body = CONTENT[::-1] if kind == "other" else CONTENT
        self.send_response(200)
        if kind != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "endless":
            for _ in range(50):
                self.wfile.write(body)
        else:
            self.wfile.write(body[: len(body) // 2] if kind == "cut" else body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address."""
    monkeypatch.setattr(downloads, "_GIVE_UP_SECONDS", 0.3)
    monkeypatch.setattr(Server, "asked", [])
    monkeypatch.delenv("GAN_COLORIZE_OFFLINE", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()


def published(server: str, kind: str) -> RemoteFile:
    return RemoteFile(f"{server}/{kind}-1.pth", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_a_file_is_fetched_whole_and_counted(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "cache" / "weights.pth"
    assert fetch(published(server, "whole"), target, progress=True) == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["weights.pth"]
    assert "whole-1.pth 0 of 0 MB" in capsys.readouterr().err  # of 0.1 MB


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("other", WrongFile, "its sha256 begins with"),
        ("endless", WrongFile, "larger than the 102,400 bytes"),
        ("cut", DownloadFailed, "before the end"),
        ("missing", DownloadFailed, "404"),
    ],
)
def test_anything_else_is_one_line_and_leaves_what_was_there(
    server: str, tmp_path: Path, kind: str, error: type[UserError], words: str
) -> None:
    target = tmp_path / "weights.pth"
    target.write_bytes(b"older")
    with pytest.raises(error, match=words) as caught:
        fetch(published(server, kind), target)
    assert "\n" not in str(caught.value) and f"cannot download {server}/{kind}-1.pth" in str(caught.value)
    assert target.read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_told(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        fetch(published(server, "whole"), tmp_path / "file" / "weights.pth")


def test_torchvisions_weights_are_known_by_their_whole_hash() -> None:
    from torchvision.models import get_model_weights

    for name in ("alexnet", "vgg16", "squeezenet1_1", "mobilenet_v2", "efficientnet_b0"):
        weights = next(iter(get_model_weights(name)))
        known = torchvision_file(weights.url)
        assert known.url == weights.url and len(known.sha256) == 64
        # torchvision's own word on it: the digits in the name, the megabytes (2**20) in its documentation
        assert known.name.endswith(f"-{known.sha256[:8]}.pth")
        assert known.size / 2**20 == pytest.approx(weights.meta["_file_size"], abs=0.001)
    other = next(iter(get_model_weights("resnet18")))
    assert torchvision_file(other.url).sha256 == other.url[-12:-4]
    with pytest.raises(UserError, match="no hash"):
        torchvision_file("https://download.pytorch.org/models/some.pth")


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_offline_is_asked_for_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, offline: bool
) -> None:
    monkeypatch.setenv("GAN_COLORIZE_OFFLINE", value)
    assert is_offline() is offline
    if offline:
        with pytest.raises(UserError, match="--download: GAN_COLORIZE_OFFLINE is set"):
            check_online("--download")
    else:
        check_online("--download")


def test_offline_nothing_is_asked_of_the_server(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_colorize.data.transfer import open_address

    monkeypatch.setenv("GAN_COLORIZE_OFFLINE", "1")
    with pytest.raises(UserError, match="GAN_COLORIZE_OFFLINE is set"):
        fetch(published(server, "whole"), tmp_path / "weights.pth")
    for address in (f"{server}/whole-1.tar", "s3://bucket/1.tar", "gs://bucket/1.tar", "pipe:cat /dev/null"):
        with pytest.raises(UserError, match="GAN_COLORIZE_OFFLINE is set"):
            list(open_address(address, 0, None, 1.0).chunks)
    assert Server.asked == [] and list(tmp_path.iterdir()) == []


def test_offline_and_download_contradict_each_other(run, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_COLORIZE_OFFLINE", "1")
    for arguments in (
        ("evaluate", "--data", tmp_path, "--output", tmp_path / "out", "--download"),
        ("import", "cic", "--download", "--output", tmp_path / "cic.safetensors"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "Error: --download: GAN_COLORIZE_OFFLINE is set" in result.output
    assert list(tmp_path.iterdir()) == []
