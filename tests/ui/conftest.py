"""The editor's application over a tiny network that takes every kind of wish, and files to open in it."""

import io
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.models import create_model
from gan_colorize.ui.folder import Folder
from gan_colorize.ui.photos import Photos
from gan_colorize.ui.work import Work

PORT = 7861
TINY = {
    "encoder_widths": [8] * 5,
    "encoder_blocks": [0] * 5,
    "decoder_widths": [8] * 4,
    "decoder_blocks": [0] * 4,
}


@pytest.fixture(scope="session")
def tiny_network():
    """A function: options -> a random network with strong colours, that tells points apart from nothing."""

    def make(**options):
        torch.manual_seed(5)
        model = create_model("unet", TINY | options)
        torch.nn.init.normal_(model.head.weight, std=20.0)
        if getattr(model, "steering", None) is not None:
            listening = (*model.steering.hints, model.steering.mixed, model.steering.again)
            for layer in (*listening, model.histogram[-1], model.saturation[-1]):  # which begin at zero
                torch.nn.init.normal_(layer.weight, std=0.5)
        model.metadata = {"working_size": "64", "temperature": "0.38"}
        return model.eval()

    return make


@pytest.fixture(scope="session")
def network(tiny_network):
    """The one that listens to every wish."""
    return tiny_network(steering=True)


@pytest.fixture(scope="session")
def colorizer(network):
    return Colorizer(network, "cpu", "fp32")


@pytest.fixture(scope="session")
def picture():
    """A function (height, width, seed, colour) -> a uint8 picture with soft structure."""

    def make(height=50, width=70, seed=0, colour=False):
        shape = (5, 7, 3) if colour else (5, 7)
        coarse = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))

    return make


@pytest.fixture(scope="session")
def encoded(picture):
    """A function: the same, and the format -> the bytes of a file."""

    def make(height=50, width=70, seed=0, colour=False, kind="PNG", **options):
        buffer = io.BytesIO()
        Image.fromarray(picture(height, width, seed, colour)).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@pytest.fixture
def scans(tmp_path, encoded):
    """A folder with two images, one of them in a folder below."""
    folder = tmp_path / "scans"
    (folder / "box 2").mkdir(parents=True)
    (folder / "attic.png").write_bytes(encoded(seed=1))
    (folder / "box 2" / "boat.jpg").write_bytes(encoded(40, 300, seed=2, kind="JPEG"))
    return folder


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def serving(colorizer, scans, clock):
    """A function: changed parts -> a client of an application with the folder ``scans``."""
    pytest.importorskip("fastapi", reason="the editor's server needs fastapi: the extra ui")
    pytest.importorskip("httpx", reason="the tests talk to the server through httpx: the extra dev")
    from starlette.testclient import TestClient

    from gan_colorize.ui.app import create_app
    from gan_colorize.ui.editor import Editor

    opened = []

    def make(**changed):
        parts = {"colorizer": colorizer, "model": "tiny", "folder": Folder(scans)} | changed
        network = parts.pop("network", None) or Work()
        app = create_app(Editor(**parts), PORT, Photos(clock=lambda: clock.now), network)
        client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}").__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serving):
    return serving()


@pytest.fixture
def upload():
    """A function (client, bytes, name) -> what the server says of the opened photograph."""

    def send(client, data, name="attic.png"):
        answer = client.post("/api/photos", params={"name": name}, content=data)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send


# Chromium's own talking to the network has no place in a test, nor has a sandbox, which root cannot have.
_CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Of a module, not of the session: as long as Playwright runs, no other test could start an event loop.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; without Playwright or Chromium the tests that need it are skipped."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="a browser is driven by playwright: extra dev"
    )
    named = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=named, args=_CHROMIUM)
        except sync_api.Error as error:
            pytest.skip(f"no Chromium that starts: {str(error).splitlines()[0]}")
        yield started
        started.close()


# Seconds until a test gives up waiting; on a machine that is busy with other things a browser is slow.
_PATIENCE = 90


class Driver:
    """What a person does with the editor's page, and what they see.

    problems: errors of scripts and refused files; they fail the test unless it takes them out.
    """

    def __init__(self, page: Any, screenshots: Path) -> None:
        self.page, self.screenshots = page, screenshots
        self.problems: list[str] = []
        page.set_default_timeout(1000 * _PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._note)

    def _note(self, line: Any) -> None:
        # 409 is the answer to a preview that a later one has overtaken: all in order
        if line.type == "error" and "409" not in line.text:
            self.problems.append(line.text)

    def go(self, address: str) -> "Driver":
        self.page.goto(address)
        self.page.locator("body[data-ready]").wait_for()
        return self

    def settle(self) -> None:
        """Wait until the picture on the stage is that of the wishes."""
        self.page.wait_for_timeout(60)  # until the page has begun to ask
        self.page.locator("body[data-previews] #stage[aria-busy=false]").wait_for()

    def open(self, *files: Path) -> None:
        self.page.set_input_files("#file", files)

    def open_photo(self, file: Path) -> None:
        self.open(file)
        self.page.locator("#canvas").wait_for(state="visible")
        self.settle()

    def drop(self, name: str, text: str) -> None:
        """Drop a text file on the page."""
        self.page.evaluate(
            """([name, text]) => {
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([text], name));
                window.dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
            }""",
            [name, text],
        )

    def at(self, across: float, down: float) -> tuple[float, float]:
        """Window coordinates of a place in shares of the stage; (0.5, 0.5) is the photograph's middle."""
        box = self.page.locator("#canvas").bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Between shares of the stage."""
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=6)
        self.page.mouse.up()

    def click(self, across: float, down: float, **options: Any) -> None:
        self.page.mouse.click(*self.at(across, down), **options)

    def hints(self, count: int) -> None:
        """Wait until the page has so many hints, and lists them: it draws the list a moment later."""
        from playwright.sync_api import expect

        self.page.locator(f"body[data-hints='{count}']").wait_for()
        expect(self.page.locator("#hint-list button")).to_have_count(count, timeout=1000 * _PATIENCE)

    def pixel(self, across: float, down: float) -> tuple[int, ...]:
        """RGB of the stage at a place in shares of its size."""
        reading = """([x, y]) => [...canvas.getContext("2d").getImageData(
            Math.round(x * canvas.width), Math.round(y * canvas.height), 1, 1).data].slice(0, 3)"""
        return tuple(self.page.evaluate(reading, [across, down]))

    def until(self, condition: str) -> None:
        """Wait for a condition in JavaScript; Playwright's own wait is stopped by the content policy."""
        end = time.monotonic() + _PATIENCE
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(50)

    def see(self, place: tuple[float, float], check: Callable[[tuple[int, ...]], Any]) -> None:
        """Wait until what the stage shows at a place passes a check of its RGB."""
        self.see_somewhere([place], check)

    def see_somewhere(
        self, places: list[tuple[float, float]], check: Callable[[tuple[int, ...]], Any]
    ) -> None:
        """Wait until one of the places passes."""
        end = time.monotonic() + _PATIENCE
        while not any(check(self.pixel(*place)) for place in places):
            assert time.monotonic() < end
            self.page.wait_for_timeout(50)

    def said(self, part: str) -> None:
        """Wait until the status line says something."""
        self.page.locator("#status", has_text=part).wait_for()

    def download(self, act: Callable[[], Any], folder: Path) -> Path:
        """What the browser saves after an action, under its own name."""
        with self.page.expect_download() as waiting:
            act()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def project(self, folder: Path) -> tuple[Path, dict[str, Any]]:
        """Save the project; its file and what is in it."""
        path = self.download(lambda: self.page.click("#save"), folder)
        return path, json.loads(path.read_text(encoding="utf-8"))

    def shot(self, name: str) -> None:
        self.page.screenshot(path=self.screenshots / f"{name}.png")


@pytest.fixture
def drive(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """A function: options of a browser's context -> a Driver in a window of its own."""
    named = os.environ.get("GAN_COLORIZE_SCREENSHOTS")
    screenshots = Path(named) if named else tmp_path / "screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    contexts, drivers = [], []

    def start(**options: Any) -> Driver:
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        contexts.append(context)
        drivers.append(Driver(context.new_page(), screenshots))
        return drivers[-1]

    yield start
    for context in contexts:
        context.close()
    assert [problem for driver in drivers for problem in driver.problems] == []


@pytest.fixture
def tiny_server(colorizer, scans) -> Iterator[SimpleNamespace]:
    """A server of its own for the tiny network and ``scans``: address, and the photographs it has open."""
    uvicorn = pytest.importorskip("uvicorn", reason="the editor's server needs uvicorn: the extra ui")
    from gan_colorize.ui.app import create_app
    from gan_colorize.ui.editor import Editor
    from gan_colorize.ui.serve import address_of, listen

    photos, listening = Photos(), listen(0)
    app = create_app(Editor(colorizer, "tiny", Folder(scans)), listening.getsockname()[1], photos)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield SimpleNamespace(address=address_of(listening), photos=photos)
    server.should_exit = True
    thread.join(10)
    listening.close()
