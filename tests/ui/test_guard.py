"""The guard, driven by plain ASGI messages: who is let through, and what goes out with the answer."""

import asyncio
import json

import pytest

from gan_colorize.ui.guard import Guard

PORT = 7861
OURS = "127.0.0.1:7861"


async def echo(scope, receive, send):
    """An application that reads its body to the end and answers with its length."""
    length = 0
    while True:
        message = await receive()
        length += len(message["body"])
        if not message.get("more_body"):
            break
    headers = [(b"content-type", b"text/plain"), (b"server", b"other"), (b"cache-control", b"public")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(length).encode()})


class Asked:
    """One request through the guard: status, headers, body, and how many messages of the body were read."""

    def __init__(self, method="GET", path="/", headers=(), body=(b"",), app=echo, port=PORT, **limits):
        pairs = [("host", OURS)] if not any(name == "host" for name, _ in headers) else []
        pairs += [pair for pair in headers if pair[1] is not None]
        scope = {"type": "http", "method": method, "path": path}
        scope["headers"] = [(name.encode(), value.encode()) for name, value in pairs]
        self.read, self.messages, self._body = 0, [], list(body)
        asyncio.run(Guard(app, port, **limits)(scope, self._receive, self._send))
        start = self.messages[0]
        self.status, self.headers = start["status"], dict(start["headers"])
        self.body = b"".join(message.get("body", b"") for message in self.messages[1:])

    async def _receive(self):
        self.read += 1
        more = self.read < len(self._body)
        return {"type": "http.request", "body": self._body[self.read - 1], "more_body": more}

    async def _send(self, message):
        self.messages.append(message)

    @property
    def error(self):
        return json.loads(self.body)["error"]


@pytest.mark.parametrize("host", [OURS, "localhost:7861", "LOCALHOST:7861", "[::1]:7861"])
def test_own_names_are_served(host):
    assert Asked(headers=[("host", host)]).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7861",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1.evil.example:7861",
        "",
        None,
        "localhost:7861@evil.example",
        "127.0.0.1:7861.evil.example",
        "localhost:78610",
        "0.0.0.0:7861",
    ],
)
@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/about"])
def test_other_names_are_refused(host, path):
    asked = Asked(path=path, headers=[("host", host)])
    assert asked.status == 403
    assert "127.0.0.1:7861" in asked.error
    assert asked.read == 0


def test_two_names_at_once_are_refused():
    assert Asked(headers=[("host", OURS), ("host", "evil.example")]).status == 403


def test_port_80_is_left_out_by_browsers():
    assert Asked(headers=[("host", "localhost")], port=80).status == 200
    assert Asked(headers=[("host", "localhost")], port=81).status == 403


FOREIGN = [
    [("origin", "http://evil.example")],
    [("origin", "null")],
    [("origin", "https://127.0.0.1:7861")],
    [("origin", "http://127.0.0.1:8888")],
    [("origin", "http://127.0.0.1")],
    [("origin", f"http://{OURS}"), ("origin", "http://evil.example")],
    [("sec-fetch-site", "cross-site")],
    [("sec-fetch-site", "same-site")],  # another port of this machine is the same "site"
    [("origin", f"http://{OURS}"), ("sec-fetch-site", "cross-site")],
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/photos"),
        ("GET", "/api/about"),
        ("HEAD", "/api/about"),
        ("OPTIONS", "/api/palette"),
        ("POST", "/"),
        ("DELETE", "/anything"),
    ],
)
def test_other_sites_are_refused(method, path, headers):
    asked = Asked(method, path, headers)
    assert asked.status == 403
    assert asked.error == "requests from other web sites are refused"
    assert asked.read == 0


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_link_may_lead_to_the_page(headers):
    assert Asked("GET", "/", headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("origin", f"http://{OURS}"), ("sec-fetch-site", "same-origin")],
        [("origin", "http://localhost:7861"), ("host", "localhost:7861")],
        [("sec-fetch-site", "none")],
        [],
    ],
)
def test_the_own_page_may_do_everything(headers):
    for method, path in (("POST", "/api/photos"), ("GET", "/api/about"), ("GET", "/")):
        assert Asked(method, path, headers).status == 200


def test_headers_of_every_answer():
    for asked in (Asked(), Asked("POST", "/api/x", [("origin", "null")])):
        assert asked.headers[b"x-content-type-options"] == b"nosniff"
        assert asked.headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert asked.headers[b"referrer-policy"] == b"same-origin"
        assert asked.headers[b"server"].startswith(b"gan_colorize/")
        policy = asked.headers[b"content-security-policy"].decode()
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert directives["default-src"] == "'self'"
        assert directives["img-src"] == "'self' blob: data:"
        assert directives["frame-ancestors"] == "'none'"
        assert "unsafe" not in policy
        assert "script-src" not in directives  # and so it is default-src's


def test_headers_replace_the_applications_own():
    names = [name for name, _ in Asked().messages[0]["headers"]]
    assert len(names) == len(set(names))
    assert Asked().headers[b"content-type"] == b"text/plain"


def test_answers_of_the_interface_are_kept_nowhere():
    assert Asked(path="/api/about").headers[b"cache-control"] == b"no-store"
    assert Asked(path="/static/main.js").headers[b"cache-control"] == b"no-cache"


def test_an_announced_body_is_refused_before_it_is_read():
    asked = Asked("POST", "/api/x", [("content-length", "1001")], [b"x" * 1001], body_limit=1000)
    assert (asked.status, asked.read) == (413, 0)
    assert asked.error == "larger than 0.001 MB, which is the limit"
    assert asked.headers[b"connection"] == b"close"
    assert Asked("POST", "/api/x", [("content-length", "9" * 5000)]).status == 413


def test_a_body_that_is_not_announced_is_read_no_further_than_the_limit():
    asked = Asked("POST", "/api/x", body=[b"x" * 400] * 50, body_limit=1000)
    assert (asked.status, asked.read) == (413, 3)
    assert Asked("POST", "/api/x", body=[b"x" * 400, b"x" * 400, b"x" * 200], body_limit=1000).body == b"1000"


def test_an_application_that_hides_the_error_cannot_answer_in_its_place():
    async def careless(scope, receive, send):
        try:
            await echo(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"all well"})

    asked = Asked("POST", "/api/x", body=[b"x" * 400] * 5, body_limit=1000, app=careless)
    assert asked.status == 413
    assert [message["type"] for message in asked.messages] == ["http.response.start", "http.response.body"]


def test_uploads_have_their_own_limit():
    limits = {"body_limit": 10, "uploads": {"/api/photos": 100}}
    assert Asked("POST", "/api/photos", body=[b"x" * 100], **limits).status == 200
    assert Asked("POST", "/api/photos", body=[b"x" * 101], **limits).status == 413
    assert Asked("POST", "/api/photos/open", body=[b"x" * 100], **limits).status == 413


def test_web_sockets_are_closed():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(echo, PORT)({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
