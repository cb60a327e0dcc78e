"""Who may talk to the local server: this machine's own page, and nobody through it.

A server on 127.0.0.1 is still within reach of every web site that its user visits: a site can send requests
to it, and can point a name of its own at 127.0.0.1 (DNS rebinding). The guard stands in front of the whole
application, as plain ASGI, and sees to four things: the name the server was asked by, the site that asks, how
much it sends, and what the browser may do with the answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from .. import __version__

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# By this another start of the program tells that the port is taken by one of its own.
SERVER_NAME = f"gan_colorize/{__version__}"

# "blob:" and "data:" are for pictures that the page made itself; a script or a style may not come from them.
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    b"server": SERVER_NAME.encode(),
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    # With "no-referrer" browsers send "Origin: null" with forms, which could not be told from a stranger's.
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}
_SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """ASGI middleware that refuses foreign requests and bodies that are too large.

    Args:
        app: what is guarded.
        port: the one that the server listens on; the Host header must name it.
        body_limit: bytes that a request may bring.
        uploads: paths with a limit of their own, such as {"/api/photos": 200_000_000}.
    """

    def __init__(
        self, app: App, port: int, body_limit: int = 4_000_000, uploads: dict[str, int] | None = None
    ) -> None:
        self.app, self.port = app, port
        self.body_limit, self.uploads = body_limit, uploads or {}
        names = ("127.0.0.1", "localhost", "[::1]")
        self.hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks through web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        api = scope["path"].startswith("/api")
        answer = _Answer(send, api)
        refusal = self._refusal(scope, api)
        if refusal is not None:
            await answer.error(*refusal)
            return
        limit = self.uploads.get(scope["path"], self.body_limit)
        body = _Body(receive, limit, answer)
        if body.announced(scope) > limit:
            await answer.error(413, _too_large(limit))
            return
        with suppress(_BodyTooLarge):
            await self.app(scope, body.receive, answer.send)
        if body.exceeded:
            await answer.error(413, _too_large(limit))

    def _refusal(self, scope: Scope, api: bool) -> tuple[int, str] | None:
        """The status and line with which a request is turned away, or None."""
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return 403, f"this server answers only to http://127.0.0.1:{self.port}"
        if scope["method"] in _SAFE_METHODS and not api:
            return None  # a link from anywhere may lead to the page; its answers stay with their own site
        own = f"http://{hosts[0].lower()}"
        foreign = any(origin.lower() != own for origin in _values(scope, b"origin"))
        # "none": typed by a person. Absent: no browser, or an old one, which sends Origin with what matters.
        sites = _values(scope, b"sec-fetch-site")
        if foreign or any(site not in ("same-origin", "none") for site in sites):
            return 403, "requests from other web sites are refused"
        return None


class _BodyTooLarge(Exception):
    """Leaves the application, which has not to know of the limit."""


class _Body:
    """Counts what a request brings, because a chunked one does not announce it."""

    def __init__(self, receive: Receive, limit: int, answer: _Answer) -> None:
        self._receive, self._limit, self._answer = receive, limit, answer
        self._seen = 0
        self.exceeded = False

    @staticmethod
    def announced(scope: Scope) -> int:
        lengths = _values(scope, b"content-length")
        return max((int(length[:20]) for length in lengths if length.isdecimal()), default=0)

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            # What the application would make of the exception must not be the answer.
            self.exceeded = self._answer.withheld = True
            raise _BodyTooLarge
        return message


class _Answer:
    """Sends with the guard's headers; once ``withheld``, nothing of the application's that has not begun."""

    def __init__(self, send: Send, api: bool) -> None:
        self._send, self._api = send, api
        self._begun = self.withheld = False

    async def send(self, message: Message) -> None:
        if self.withheld and not self._begun:
            return
        if message["type"] == "http.response.start":
            self._begun = True
            message = {**message, "headers": self._with_own(message.get("headers", []))}
        await self._send(message)

    async def error(self, status: int, line: str) -> None:
        """Answer {"error": line}, unless another answer has begun; close, for the body is unread."""
        if self._begun:
            return
        self.withheld = False
        body = json.dumps({"error": line}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def _with_own(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        own = dict(_HEADERS)
        # Files of the page may be kept, but are asked for anew: the next version has the same names.
        own[b"cache-control"] = b"no-store" if self._api else b"no-cache"
        kept = [(name, value) for name, value in headers if name.lower() not in own]
        return [*kept, *own.items()]


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _too_large(limit: int) -> str:
    return f"larger than {limit / 1e6:g} MB, which is the limit"
