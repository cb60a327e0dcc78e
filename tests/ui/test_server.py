"""The command with a real server: many requests at once, a client that leaves, a taken port, the end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the editor's server needs fastapi: the extra ui")
pytest.importorskip("uvicorn", reason="the editor's server needs uvicorn: the extra ui")

from gan_colorize.cli import main as entry
from gan_colorize.zoo.checkpoint import save_model

LONG = 60


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, network, {"working_size": 64})
    return path


def start(*arguments):
    """``gan-colorize ui`` in a process of its own; its standard output is text."""
    command = [
        sys.executable,
        "-m",
        "gan_colorize",
        "ui",
        "--no-browser",
        "--device",
        "cpu",
        *map(str, arguments),
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(entry.__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


@pytest.fixture(scope="module")
def server(weights):
    """(process, port) of a running server."""
    process = start("--port", 0, "--model", weights)
    address = process.stdout.readline().split()
    assert address, process.stderr.read()
    yield process, int(address[0].rsplit(":", 1)[1])
    process.kill()
    process.wait(LONG)


def ask(port, method, path, body=None, **headers):
    """(status, content) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    if isinstance(body, dict):
        body, headers = json.dumps(body), headers | {"content-type": "application/json"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.fixture
def photo(server, encoded):
    status, content = ask(server[1], "POST", "/api/photos?name=a.png", encoded(300, 400))
    assert status == 200, content
    return json.loads(content)["id"]


def test_it_is_for_this_machine_alone(server):
    own = socket.gethostbyname_ex(socket.gethostname())[2]
    for address in {one for one in own if not one.startswith("127.")}:
        with pytest.raises(OSError), socket.create_connection((address, server[1]), timeout=2):
            pass
    assert ask(server[1], "GET", "/api/about", host="evil.example")[0] == 403
    assert json.loads(ask(server[1], "GET", "/api/about")[1])["model"] == "tiny.safetensors"


def test_twenty_requests_at_once(server, photo):
    point = {"x": 100, "y": 100, "radius": 9}

    def one(number):
        wishes = {"hints": [point | {"color": f"#{number * 12:02x}4020"}]}
        if number % 4 == 3:
            return ask(server[1], "POST", f"/api/photos/{photo}/suggest", {"wishes": wishes, "x": 9, "y": 9})
        body = {"wishes": wishes, "tab": f"tab {number}", "sequence": 1}
        return ask(server[1], "POST", f"/api/photos/{photo}/preview", body)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))
    assert [status for status, _ in answers] == [200] * 20
    pictures = [content for number, (_, content) in enumerate(answers) if number % 4 != 3]
    assert all(content.startswith(b"\xff\xd8") for content in pictures)
    assert len(set(pictures)) == len(pictures)  # nobody got another's wishes
    alone = one(0)[1]
    assert answers[0][1] == alone


def test_a_client_that_leaves_takes_its_work_with_it(server, photo):
    port = server[1]
    body = json.dumps({"wishes": {}, "format": "png"}).encode()
    head = f"POST /api/photos/{photo}/export HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    leaving = []
    for _ in range(30):
        connection = socket.create_connection(("127.0.0.1", port), timeout=LONG)
        connection.sendall(head.encode() + body)
        leaving.append(connection)
    for connection in leaving:
        connection.close()
    half = socket.create_connection(("127.0.0.1", port), timeout=LONG)  # leaves in the middle of its body
    half.sendall(head.encode() + body[:5])
    half.close()
    for _ in range(LONG * 20):
        state = json.loads(ask(port, "GET", "/api/work")[1])
        if state["queued"] == 0 and state["doing"] is None:
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"work is left: {state}")
    assert ask(port, "POST", f"/api/photos/{photo}/preview", {"wishes": {}})[0] == 200


def test_an_upload_that_is_too_large_gets_its_answer(server):
    class Endless:
        """More than anybody takes, in pieces."""

        sent = 0

        def __iter__(self):
            while self.sent < 1_000_000_000:
                self.sent += 1_000_000
                yield b"x" * 1_000_000

    body = Endless()
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=LONG)
    chunked = {"transfer-encoding": "chunked"}
    with suppress(OSError):  # the server has answered and closed
        connection.request("POST", "/api/photos?name=x.png", body, chunked, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "200 MB" in json.loads(answer.read())["error"]
    assert body.sent < 400_000_000
    assert ask(server[1], "GET", "/api/about")[0] == 200


def test_a_second_server_on_the_port(server, weights):
    second = start("--port", server[1], "--model", weights)
    output, errors = second.communicate(timeout=LONG)
    assert second.returncode == 1
    assert output == ""
    assert errors.strip() == (
        f"Error: gan-colorize is running already at http://127.0.0.1:{server[1]}; open that in a browser, "
        "or name another --port"
    )
    assert ask(server[1], "GET", "/api/about")[0] == 200


def test_a_port_of_another_program(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        closing = threading.Thread(target=lambda: other.accept()[0].close(), daemon=True)
        closing.start()
        result = run("ui", "--port", port, "--no-browser")
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        f"Error: --port {port}: used by another program; name another, such as {port + 1}"
    )


def test_a_folder_that_is_none(run, tmp_path):
    result = run("ui", tmp_path / "gone", "--no-browser", "--port", 0)
    assert result.exit_code == 1
    assert "gone: No such file or directory" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_the_extra(run, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    result = run("ui")
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        "Error: the editor needs uvicorn: python -m pip install 'gan_colorize[ui]'"
    )


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_end(weights, number, code):
    process = start("--port", 0, "--model", weights)
    port = int(process.stdout.readline().split()[0].rsplit(":", 1)[1])
    keeping = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)  # a page that stays open
    keeping.request("GET", "/api/about")
    keeping.getresponse().read()
    process.send_signal(number)
    _, errors = process.communicate(timeout=LONG)
    assert process.returncode == code
    assert "Traceback" not in errors
    keeping.close()
    with socket.create_server(("127.0.0.1", port)):  # the port is free again
        pass


def test_the_browser_is_opened_at_the_address(monkeypatch, weights):
    from gan_colorize.ui import serve as serving

    opened, shown = threading.Event(), []
    monkeypatch.setattr(serving.webbrowser, "open", lambda address: (shown.append(address), opened.set()))
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: opened.wait(LONG))
    listening = serving.listen(0)
    address = serving.address_of(listening)
    said = []
    serving.serve(lambda: None, listening, True, said.append)
    assert shown == [address]
    assert said[0].startswith(address)
