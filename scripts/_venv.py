"""The environment that quickstart.py and test.py share: made once, installed only when its needs change.

Standard library only, and no syntax newer than Python 3.8, so that an old Python gets a sentence, not
a SyntaxError.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
STAMP = "gan_colorize.json"
LOG = "gan_colorize_install.log"
INTERESTING = re.compile(r"^\s*(Collecting|Downloading|Using cached|Building|Installing)\b.*")
NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ProxyError|Failed to resolve|Network is unreachable|"
    r"Temporary failure in name resolution|Max retries exceeded|No matching distribution"
)


class SetupError(Exception):
    """One line for the person at the keyboard."""


def check_python(version=sys.version_info, has_module=importlib.util.find_spec):
    """Refuse a Python that is too old or that cannot make environments (Debian splits venv off)."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        newer = next((n for n in ("python3.13", "python3.12", "python3.11") if shutil.which(n)), None)
        hint = f"run this script with {newer}" if newer else "install a newer one from python.org"
        raise SetupError(f"Python {version[0]}.{version[1]} is too old, 3.11 or newer is needed: {hint}")
    if not (has_module("venv") and has_module("ensurepip")):
        raise SetupError(
            "this Python cannot make environments: on Debian or Ubuntu run "
            "'sudo apt install python3-venv', then this script again"
        )


def location():
    """$GAN_COLORIZE_VENV, or .venv in the repository."""
    return Path(os.environ.get("GAN_COLORIZE_VENV") or ROOT / ".venv").expanduser().absolute()


def interpreter(folder):
    """The environment's Python: Scripts/ on Windows, bin/ elsewhere."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def wanted_stamp():
    """What an installation depends on: the two files that name the needs, this checkout, this Python."""
    files = b"".join((ROOT / name).read_bytes() for name in ("setup.cfg", "pyproject.toml"))
    return {
        "needs": hashlib.sha256(files).hexdigest(),
        "checkout": str(ROOT),
        "python": "{}.{}".format(*sys.version_info[:2]),
    }


def is_current(folder, extras):
    """True when the last complete installation had the same needs and at least these extras."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        installed = set(stamp.pop("extras"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return stamp == wanted_stamp() and installed >= set(extras) and interpreter(folder).exists()


def failure_line(log_text):
    """The one line worth showing from a failed pip run."""
    if "No space left on device" in log_text:
        return "the disk is full"
    if NETWORK.search(log_text):
        return "the package index cannot be reached or lacks a package: check the network or proxy"
    errors = [line for line in log_text.splitlines() if line.lower().startswith("error:")]
    return errors[-1][6:].strip() if errors else "pip stopped without a reason"


def run_logged(command, log, show):
    """Run ``command`` with its output in ``log``, pass its newest step to ``show``; its exit code.

    The output goes to a file and is polled, because a download of hundreds of megabytes prints nothing
    for minutes and the clock should run meanwhile.
    """
    with log.open("wb") as sink, log.open("rb") as source:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            step, rest = "starting pip", b""
            while True:
                code = process.poll()
                *lines, rest = (rest + source.read()).split(b"\n")
                for line in lines:
                    if INTERESTING.match(line.decode("utf-8", "replace")):
                        step = line.decode("utf-8", "replace").strip()
                show(step)
                if code is not None:
                    return code
                time.sleep(0.3)
        except BaseException:
            process.terminate()
            process.wait()
            raise


def progress_line(started):
    """A function that shows the newest step: one line redrawn on a terminal, new lines elsewhere."""
    last = {"step": None}

    def show(step):
        seconds = int(time.monotonic() - started)
        if sys.stdout.isatty():
            width = max(20, shutil.get_terminal_size().columns - 12)
            print(f"\r  [{seconds:4d} s] {step[:width]:<{width}}", end="", flush=True)
        elif step != last["step"] and not step.startswith(("Collecting", "Using cached")):
            print(f"  [{seconds:4d} s] {step[:200]}", flush=True)
        last["step"] = step

    return show


def ensure(extras=()):
    """Make the environment and install gan_colorize in it (editable) unless that is done; its Python.

    Raises:
        SetupError: one line; what was already downloaded stays in pip's cache for the next try.
    """
    check_python()
    folder = location()
    if is_current(folder, extras):
        return interpreter(folder)
    foreign = folder.exists() and not (folder / "pyvenv.cfg").is_file()
    if foreign and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"{folder} is not a virtual environment: move it away or set GAN_COLORIZE_VENV")
    started = time.monotonic()
    print(f"Making the environment {folder} (once; PyTorch is a large download)", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode:
        reason = (made.stderr.strip() or made.stdout.strip() or "no reason given").splitlines()[-1]
        raise SetupError(f"cannot make the environment {folder}: {reason}")
    (folder / STAMP).unlink(missing_ok=True)
    target = "." + (f"[{','.join(sorted(extras))}]" if extras else "")
    python, log = interpreter(folder), folder / LOG
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    install = [*pip, "install", "--progress-bar", "off", "--editable", target]
    code = run_logged(install, log, progress_line(started))
    if sys.stdout.isatty():
        print()
    if code:
        reason = failure_line(log.read_text(encoding="utf-8", errors="replace"))
        raise SetupError(f"installation failed: {reason} (everything pip said: {log})")
    stamp = {**wanted_stamp(), "extras": sorted(extras)}
    (folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    print(f"  installed in {time.monotonic() - started:.0f} s", flush=True)
    return python


def run_script(body):
    """Call ``body`` and exit with its code; SetupError becomes one line and 1, Ctrl-C becomes 130."""
    try:
        sys.exit(body())
    except SetupError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        print("\nstopped; run it again to go on", file=sys.stderr)
        sys.exit(130)
