"""Names and places: what Linux allows (others refuse some of it) and programs stumble over."""

from __future__ import annotations

import os
import socket
import stat
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from .by_hand import GREY, png
from .case import BAD, EITHER, IGNORED, Case, as8, photograph

SPECIAL, UNREADABLE, LINK, TAKEN = "no regular file", "unreadable", "broken link", "its place is taken"
# A link may lead to these; they stand beside the hostile folder.
OUTSIDE = "outside/original.png"
# Where results go: inside of what is read.
OUTPUT = "colour"

_NAMES = {
    "a new line": "paths/@\nline.png",
    "a carriage return": "paths/@\r\rreturn.png",
    "an escape sequence": "paths/@\x1b[31;1m\x1b]0;title\x07red.png",
    "a backspace and a bell": "paths/@\b\b\x07.png",
    "a C1 control character": "paths/@\x9b31m.png",
    "a right-to-left override": "paths/@‮gnp.png",
    "a leading dash": "paths/-rf @.png",
    "an option": "paths/--output=@.png",
    "spaces around": "paths/ @ .png",
    "emoji": "paths/@ 🏞️👨‍👩‍👧.png",
    "Chinese characters": "paths/@照片.png",
    "bytes that are not UTF-8": "paths/@-\udcff\udcfe\udce9.png",
    "a half surrogate pair in CESU": "paths/@-\udced\udca0\udc80.png",
    "dots within": "paths/@..%2f..%2f..png",
    "a drive": "paths/C:@\\x.png",
    "backslashes": "paths/up..\\..\\@.png",
    "a dot and a space at its end": "paths/@. .png",
    "a wildcard": "paths/@[*]?.png",
    "quotes": "paths/@'\"`$(touch name-was-run);.png",
    "a percent format": "paths/@%s%n{0}.png",
    "a stream": "paths/@.png:stream.png",
    "a folder that ends in dots and a space": "paths/up .. /@.png",
    "a folder called like a picture": "paths/folder.jpg/@.png",
    "a folder called like its result": "paths/@/@.png",
    "many folders": "paths/" + "deep/" * 60 + "@.png",
    "capital letters": "paths/Twin @.png",
    "small letters": "paths/twin @.png",
    "composed letters": "paths/" + unicodedata.normalize("NFC", "caf\u00e9 @.png"),
    "decomposed letters": "paths/" + unicodedata.normalize("NFD", "caf\u00e9 @.png"),
    "a name that Windows keeps": "paths/con.@.png",
    "a name that Windows keeps, as a folder": "paths/aux/@.png",
}


def cases() -> Iterator[Case]:
    picture = photograph(24, 20, seed=61)
    data = png(as8(picture), 8, GREY)
    for kind, name in _NAMES.items():
        yield Case(name, f"name with {kind}", data, picture=picture)
    long = "paths/@" + "n" * (255 - 4 - 4) + ".png"  # the token that @ becomes has four letters
    yield Case(long, "name of 255 bytes", data, picture=picture)
    # its result is called .png, in as many bytes
    yield Case(
        long.replace(".png", ".pgm").replace("nn", "pp"),
        "name of 255 bytes of another suffix",
        _pgm(),
        picture=picture,
    )
    yield Case("paths/.hidden @.png", "hidden file", data, IGNORED)
    yield Case("paths/.hidden/@.png", "file in a hidden folder", data, IGNORED)
    yield Case("paths/@.txt", "text beside pictures", b"notes", IGNORED)
    yield Case("paths/@.png.bak", "suffix that is none of a picture", data, IGNORED)
    yield Case("paths/@", "picture without a suffix", data, IGNORED)


def _pgm() -> bytes:
    from .tools import pgm

    return pgm(as8(photograph(24, 20, seed=61)))


Maker = Callable[[Path, Path], None]


def special() -> Iterator[tuple[Case, Maker]]:
    """What is no regular file, with what makes it from (its path, the hostile folder)."""

    def link(target: str) -> Maker:
        return lambda path, root: path.symlink_to(target)

    def outside(path: Path, root: Path) -> None:
        path.symlink_to(os.path.relpath(root.parent / OUTSIDE, path.parent))

    def sock(path: Path, root: Path) -> None:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path has at most 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)

    def unreadable(path: Path, root: Path) -> None:
        path.write_bytes(png(as8(photograph(24, 20)), 8, GREY))
        path.chmod(0)

    def closed(path: Path, root: Path) -> None:
        path.mkdir()
        path.chmod(0)

    def gone_folder(path: Path, root: Path) -> None:
        path.mkdir()

    def loop(path: Path, root: Path) -> None:
        path.symlink_to(".")

    yield Case("special/@-dangling.png", "link to nothing", None, BAD, reason=LINK), link("nowhere.png")
    yield (
        Case("special/@-self.png", "link to itself", None, BAD, reason=LINK),
        lambda path, root: path.symlink_to(path.name),
    )
    yield Case("special/@-zero.png", "link to /dev/zero", None, BAD, reason=SPECIAL), link("/dev/zero")
    yield Case("special/@-null.jpg", "link to /dev/null", None, BAD, reason=SPECIAL), link("/dev/null")
    yield Case("special/@-stdin.jpg", "link to standard input", None, BAD, reason=SPECIAL), link("/dev/stdin")
    yield (
        Case("special/@-memory.png", "link to the process's own memory", None, BAD, reason=""),
        link("/proc/self/mem"),
    )
    picture = photograph(24, 20, seed=62)
    yield Case("special/@-outside.png", "link to a picture outside", None, picture=picture), outside
    yield (
        Case("special/@-pipe.png", "named pipe", None, BAD, reason=SPECIAL),
        lambda path, root: os.mkfifo(path),
    )
    yield (
        Case("special/@-pipe.tif", "named pipe called TIFF", None, BAD, reason=SPECIAL),
        lambda path, root: os.mkfifo(path),
    )
    yield Case("special/@-socket.jpg", "socket", None, BAD, reason=SPECIAL), sock
    yield Case("special/@-loop", "folder that links to itself", None, EITHER, size=(1, 1)), loop
    yield Case("special/@-parent", "folder that links to the root", None, EITHER, size=(1, 1)), link("/")
    data, picture = png(as8(photograph(24, 20)), 8, GREY), photograph(24, 20)
    for name, kind in _TAKEN.items():
        case = Case(f"{name}/@.png", f"picture whose result {kind}", None, BAD, picture=picture, reason=TAKEN)
        yield case, lambda path, root: _take(path, root, data)
    yield Case("special/@-empty.png", "empty folder called like a picture", None, IGNORED), gone_folder
    if os.geteuid() != 0:  # root reads everything
        yield (
            Case("special/@-secret.png", "picture that may not be read", None, BAD, reason=UNREADABLE),
            unreadable,
        )
        yield Case("special/@-closed", "folder that may not be entered", None, BAD, reason=UNREADABLE), closed


_TAKEN = {
    "escape": "would land outside, through a link in the output",
    "taken": "would replace a file of someone else",
    "blocked": "is a folder",
    "linked": "is a link to a file outside",
}


def _take(path: Path, root: Path, data: bytes) -> None:
    """A picture at ``path``, and in its result's place in the output folder what must not be touched."""
    path.write_bytes(data)
    place = root / OUTPUT / path.relative_to(root)
    place.parent.parent.mkdir(exist_ok=True)
    if path.parent.name == "escape":
        place.parent.symlink_to(root.parent / "outside")
        return
    place.parent.mkdir(exist_ok=True)
    if path.parent.name == "taken":
        place.write_bytes(b"mine")
    elif path.parent.name == "blocked":
        place.mkdir()
    else:
        place.symlink_to(root.parent / "outside/canary.txt")


def make_deletable(folder: Path) -> None:
    """Give back the permissions that were taken away."""
    for where, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(where, name)
            if not path.is_symlink() and not stat.S_IMODE(path.stat().st_mode) & stat.S_IXUSR:
                path.chmod(0o700)
