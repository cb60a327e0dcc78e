"""One attempt at reading an address from a given byte on: HTTP by ourselves, everything else by WebDataset.

WebDataset's gopen runs a program for each kind of address (curl, gsutil, ...) and reads its output, which can
neither be continued after a cut nor be told to give up when nothing comes. For HTTP both are done here.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import select
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from .. import __version__
from ..errors import UserError, one_line
from ..offline import VARIABLE, is_offline
from .urls import scheme_of

_CHUNK = 1 << 18
# Answers that another try may change (RFC 9110, 15.5 and 15.6; RFC 6585 for 429); other refusals are final.
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class TransferError(Exception):
    """An attempt failed; another may succeed.

    wait: seconds that the server asked for. again: what is there of the file is of no use. program: a program
    failed, which has its own patience.
    """

    def __init__(self, reason: str, wait: float = 0.0, *, again: bool = False, program: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.again, self.program = wait, again, program


class Gone(UserError):
    """There is no use in trying again."""


@dataclass
class Attempt:
    """What is being read. start: the byte that ``chunks`` begin with, which is 0 where a server knows no
    ranges; total: bytes of the whole file, if anybody says; tag: of this version of it (ETag)."""

    chunks: Iterator[bytes]
    start: int = 0
    total: int | None = None
    tag: str | None = None


def open_address(url: str, start: int, tag: str | None, stall: float) -> Attempt:
    """Begin to read ``url``.

    Args:
        start: the first byte wanted; only HTTP can give another than 0.
        tag: of the version whose bytes before ``start`` are there already.
        stall: seconds without a byte after which the attempt has failed.

    Raises:
        TransferError, Gone: here, or while the chunks are read.
        UserError: ``GAN_COLORIZE_OFFLINE`` is set.
    """
    from webdataset.gopen import rewrite_url

    url = rewrite_url(url)
    if scheme_of(url) != "file" and is_offline():
        raise Gone(f"{VARIABLE} is set, so nothing is fetched from the network")
    if scheme_of(url) in ("http", "https"):
        return _open_http(url, start, tag, stall)
    return Attempt(_program_chunks(url, stall))


def _open_http(url: str, start: int, tag: str | None, stall: float) -> Attempt:
    url, authorization = _without_login(url)
    request = urllib.request.Request(_quoted(url), headers={"Accept-Encoding": "identity"})
    if authorization:  # not for whoever the server sends us on to
        request.add_unredirected_header("Authorization", authorization)
    request.add_header("User-Agent", f"gan-colorize/{__version__}")
    if start:
        request.add_header("Range", f"bytes={start}-")
        if tag:
            request.add_header("If-Range", tag)
    try:
        response = urllib.request.urlopen(request, timeout=stall)
    except urllib.error.HTTPError as error:
        with closing(error):
            if error.code == 416:  # fewer bytes than we hold: another file
                raise TransferError("the file has changed on the server", again=True) from error
            reason = f"{error.code} {error.reason}"
            if error.code in _PASSING:
                raise TransferError(reason, _retry_after(error.headers.get("Retry-After"))) from error
            raise Gone(reason) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise Gone(one_line(error)) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise Gone(one_line(reason)) from error
        raise TransferError(_reason(reason, stall)) from error
    length = response.headers.get("Content-Length")
    left = int(length) if length and length.isdecimal() else None
    tag = response.headers.get("ETag")
    tag = None if tag is None or tag.startswith("W/") else tag  # weak ones say nothing about bytes
    begin = 0
    if response.status == 206:
        found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            response.close()
            raise TransferError("the server answered with another range than was asked for")
        begin = start
    total = None if left is None else begin + left
    return Attempt(_http_chunks(response, left, stall), begin, total, tag)


def _http_chunks(response: http.client.HTTPResponse, left: int | None, stall: float) -> Iterator[bytes]:
    with closing(response):
        while True:
            try:
                chunk = response.read1(_CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise TransferError(_reason(error, stall)) from error
            if not chunk:
                break
            left = None if left is None else left - len(chunk)
            yield chunk
        if left:
            raise TransferError(f"the connection was cut {left:,} bytes before the end")


def _program_chunks(url: str, stall: float) -> Iterator[bytes]:
    """What WebDataset's program for this kind of address writes."""
    from webdataset.gopen import Pipe, gopen, gopen_schemes

    try:
        if scheme_of(url) == "s3" and "s3" not in gopen_schemes:  # webdataset leaves it to "pipe:aws s3 ..."
            stream = Pipe(["aws", "s3", "cp", "--only-show-errors", url, "-"], mode="rb", bufsize=0)
        else:
            stream = gopen(url)
    except FileNotFoundError as error:
        raise Gone(f"the program {error.filename} is not installed") from error
    except (ValueError, ImportError, OSError) as error:
        raise Gone(one_line(error, 200)) from error
    if not isinstance(stream, Pipe):
        with closing(stream):
            while chunk := stream.read(_CHUNK):
                yield chunk
        return
    try:
        handle = stream.stream.fileno()
        while True:
            if os.name == "posix" and not select.select([handle], [], [], stall)[0]:
                raise TransferError(f"no byte for {stall:g} s")
            chunk = os.read(handle, _CHUNK)
            if not chunk:
                break
            yield chunk
        try:
            stream.close()  # waits for the program
        except OSError as error:
            command = stream.args[0][0]
            name = command if isinstance(command, str) else " ".join(command)
            raise TransferError(f"{name!r} ended with status {stream.status}", program=True) from error
    finally:
        if stream.proc.poll() is None:
            stream.proc.kill()
        with suppress(OSError):
            stream.close()


def _reason(error: object, stall: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no byte for {stall:g} s"
    if isinstance(error, BaseException):
        return getattr(error, "strerror", None) or one_line(error)
    return str(error)


def _retry_after(value: str | None) -> float:
    """Seconds; the header may also hold a date, which is not worth reading."""
    return min(float(value), 120.0) if value and value.isdecimal() else 0.0


def _without_login(url: str) -> tuple[str, str]:
    """An address without ``user:password@``, and these as HTTP has them (RFC 7617)."""
    parts = urllib.parse.urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    words = base64.b64encode(urllib.parse.unquote_to_bytes(login)).decode()
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), f"Basic {words}"


def _quoted(url: str) -> str:
    """Spaces and letters beyond ASCII, as people write them, in the form that HTTP has for them."""
    return urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
