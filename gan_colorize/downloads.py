"""Files that others publish and this package can fetch: each known by its sha256, whole or absent.

Every download of the package but that of training shards goes through :func:`fetch`. Nothing is fetched
unless somebody asked for it, and nothing at all under ``GAN_COLORIZE_OFFLINE=1``.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .files import atomic_path
from .offline import check_online


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server. sha256: of the whole file, or as many of its first digits as are known; size: in
    bytes, None when it is not known."""

    url: str
    sha256: str
    size: int | None = None

    @property
    def name(self) -> str:
        """As it is called on the server, and in torch's cache."""
        return self.url.rpartition("/")[2]


class DownloadFailed(UserError):
    """A file cannot be had, or what came is another one. ``reason``: without the address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot download {url} ({reason})")
        self.reason = reason


class WrongFile(DownloadFailed):
    """What the server sent is not the published file; nothing of it was kept."""


_TORCHVISION = "https://download.pytorch.org/models"
# The weights of torchvision that this package asks for by default. The first digits of each hash are in the
# name, as torchvision publishes it; sizes and all digits are of the files themselves.
_PINNED = {
    pinned.url: pinned
    for pinned in (
        RemoteFile(
            f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            244_408_911,
        ),
        RemoteFile(
            f"{_TORCHVISION}/vgg16-397923af.pth",
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            553_433_881,
        ),
        RemoteFile(
            f"{_TORCHVISION}/squeezenet1_1-b8a52dc0.pth",
            "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
            4_958_839,
        ),
        RemoteFile(
            f"{_TORCHVISION}/mobilenet_v2-b0353104.pth",
            "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
            14_212_972,
        ),
        RemoteFile(
            f"{_TORCHVISION}/efficientnet_b0_rwightman-7f5810bc.pth",
            "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
            21_444_401,
        ),
    )
}
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")
# A file of a server that does not answer at all: somebody waits before the screen.
_GIVE_UP_SECONDS = 10.0


def torchvision_file(url: str) -> RemoteFile:
    """What is known of the weights that torchvision publishes at ``url``; of classifiers that this package
    does not name itself, the eight digits of the hash that are in the file's name.

    Raises:
        UserError: nothing is known, so that nothing could be checked.
    """
    if url in _PINNED:
        return _PINNED[url]
    if found := _HASH_IN_NAME.search(url):
        return RemoteFile(url, found[1])
    raise UserError(f"{url}: the name holds no hash to check the file with; it is not fetched")


def fetch(published: RemoteFile, target: Path, progress: bool = False) -> Path:
    """Put a published file at ``target``, whole and checked, or leave what is there as it is.

    Args:
        progress: count on stderr; for terminals.

    Raises:
        WrongFile: another size or hash than the published one's.
        DownloadFailed: no connection, or refused.
        UserError: offline, or ``target`` cannot be written.
    """
    from .data.download import Patience, Unavailable, download

    check_online(published.url)
    counter = _Counter(published) if progress else None

    def room(size: int) -> None:
        if published.size is not None and size > published.size:
            raise WrongFile(published.url, f"larger than the {published.size:,} bytes of the published file")

    try:
        with atomic_path(target) as temporary:
            digest = download(
                published.url,
                temporary,
                room=room,
                patience=Patience(give_up=_GIVE_UP_SECONDS),
                progress=counter,
            )
            if not digest.startswith(published.sha256):
                raise WrongFile(
                    published.url,
                    f"what came is not the published file: its sha256 begins with {digest[:8]}, the "
                    f"published one's with {published.sha256[:8]}",
                )
    except Unavailable as error:
        raise DownloadFailed(published.url, error.reason) from error
    finally:
        if counter is not None:
            counter.close()
    return target


class _Counter:
    """ "alexnet-owt-7be5be79.pth 12 of 244 MB", rewritten in place twice a second."""

    def __init__(self, published: RemoteFile) -> None:
        self._name, self._size, self._shown = published.name, published.size, 0.0

    def __call__(self, there: int) -> None:
        now = time.monotonic()
        if now - self._shown < 0.5:
            return
        self._shown = now
        of = f" of {self._size / 1e6:.0f}" if self._size else ""
        print(f"\r{self._name} {there / 1e6:.0f}{of} MB\033[K", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._shown:
            print(file=sys.stderr)
