"""With ``GAN_COLORIZE_OFFLINE=1`` the main jobs open no socket: Python itself is asked to tell of each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gan_colorize

# Python calls audit hooks for every socket that is made or used (PEP 578); torch's C++ is not seen by them,
# and opens sockets only for jobs of several processes.
PROGRAM = """
import json, sys
seen = []
def hook(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.")) and event != "socket.gethostname":
        seen.append((event, repr(arguments)))
sys.addaudithook(hook)
from gan_colorize.cli.main import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as end:
        print(arguments[0], "ended with", end.code, "and", seen, flush=True)
import socket
try:
    socket.create_connection(("127.0.0.1", 9), 0.1)
except OSError:
    pass
print("a connection is seen:", "socket.connect" in dict(seen))
"""


def test_colorize_train_and_evaluate_open_no_socket(
    tmp_path: Path, pictures: Path, tiny_overrides: list[str]
) -> None:
    examples = Path(gan_colorize.__file__).parent / "examples"
    settings = [part for override in tiny_overrides[:-1] for part in ("--set", override)]
    settings += ["--set", "phases=[{train: generator, images: 8, crop_size: 64, batch_size: 4}]"]
    where = ["--device", "cpu", "--output"]
    jobs = [
        ["colorize", str(examples / "grey" / "coffee.jpg"), *where, str(tmp_path / "coloured")],
        ["train", "--data", str(pictures), *settings, *where, str(tmp_path / "run")],
        ["evaluate", "--data", str(pictures), "--size", "64", *where, str(tmp_path / "report")],
    ]
    environment = os.environ | {
        "GAN_COLORIZE_OFFLINE": "1",
        "TORCH_HOME": str(tmp_path / "empty"),  # nothing cached: whatever wants weights would fetch them
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(jobs)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    lines = [line for line in done.stdout.splitlines() if "ended with" in line or "is seen" in line]
    assert lines == [
        "colorize ended with 0 and []",
        "train ended with 0 and []",
        "evaluate ended with 0 and []",
        "a connection is seen: True",
    ], done.stdout + done.stderr
    assert (tmp_path / "coloured" / "coffee.jpg").stat().st_size > 0
    assert (tmp_path / "run" / "model.safetensors").stat().st_size > 0
    assert (tmp_path / "report" / "report.json").stat().st_size > 0
