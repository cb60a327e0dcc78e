"""``gan-colorize ui --turing``: options that do not go together, and the command from start to Ctrl-C."""

import http.client
import json
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the server needs fastapi: the extra ui")
pytest.importorskip("uvicorn", reason="the server needs uvicorn: the extra ui")


@pytest.fixture
def pairs(work):
    """Two truths and their results in the folders a and b; one more in a."""
    for folder, colour in (("a", (200, 60, 40)), ("b", (60, 90, 200))):
        (work / folder).mkdir()
        for name in ("one", "two"):
            Image.new("RGB", (40, 30), colour).save(work / folder / f"{name}.png")
    Image.new("RGB", (40, 30), (200, 60, 40)).save(work / "a" / "three.png")
    return work


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--rounds", "5"), "--rounds goes with --turing"),
        (("--output", "x.json"), "--output goes with --turing"),
        (("--turing", "a"), "requires 2 arguments"),
        (("scans", "--turing", "a", "b"), "leave FOLDER out"),
        (("--turing", "a", "b", "--model", "x"), "--model does not go with --turing"),
        (("--turing", "a", "b", "--seconds", "0"), "--seconds"),
        (("--turing", "a", "b", "--seconds", "nan"), "nan is not in the range 0.1<=x<=60"),
    ],
)
def test_options_that_do_not_go_together(run, pairs, arguments, words):
    result = run("ui", "--no-browser", "--port", 0, *arguments)
    assert result.exit_code == 2 and words in result.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("a", "a"), "both are the same folder"),
        (("a", "none"), "--turing none: no such folder"),
        (("a", "c"), "nothing to compare"),
    ],
)
def test_folders_that_cannot_be_compared_are_a_line(run, pairs, arguments, words):
    (pairs / "c").mkdir()
    (pairs / "b" / "one.png").rename(pairs / "c" / "other.png")
    result = run("ui", "--no-browser", "--port", 0, "--turing", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1 and words in result.stderr
    assert not (pairs / "turing.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to another process")
def test_from_start_to_ctrl_c(pairs):
    options = ["--no-browser", "--port", "0", "--turing", "a", "b", "--output", "out/answers.json"]
    command = [sys.executable, "-m", "gan_colorize", "ui", *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            address = process.stdout.readline().split()
            assert address, process.stderr.read()
            port = int(address[0].rsplit(":", 1)[1])
            cookie: dict[str, str] = {}
            for which, body in (
                ("start", {}),
                ("round", {}),
                ("answer", {"round": 0, "choice": 0, "shown_ms": [1000, 1000], "response_ms": 500}),
            ):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {"Content-Type": "application/json", **cookie}
                connection.request("POST", f"/api/turing/{which}", json.dumps(body), headers)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                if which == "start":
                    cookie = {"Cookie": answer.getheader("set-cookie").split(";")[0]}
                connection.close()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "left out: three.png: only in a" in err and "2 pairs; results in out/answers.json" in err
    summary = json.loads((pairs / "out" / "answers.json").read_text())["summary"]
    assert summary["trials"] == 1
    assert out.strip() == summary["reading"]
