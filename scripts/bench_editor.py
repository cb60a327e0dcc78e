"""What a moved hint and a suggestion cost in the editor, for a photograph of one megapixel.

    python scripts/bench_editor.py [--model default] [--repeats 20]

Times the requests of the page against the server's own application in this process: wishes in, JPEG out. Also
prints what the same photograph costs as a whole, file to file, so that a slow machine is seen as one.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from starlette.testclient import TestClient

from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.ui.app import create_app
from gan_colorize.ui.editor import Editor

EXAMPLE = Path(__file__).resolve().parents[1] / "gan_colorize" / "examples" / "grey" / "alpine_landscape.jpg"
SIZE = (1200, 833)
PORT = 7860


def main() -> None:
    """Open, move a hint again and again, ask for suggestions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()

    file = io.BytesIO()
    Image.open(EXAMPLE).convert("L").resize(SIZE).save(file, "JPEG", quality=92)
    colorizer = Colorizer(options.model, "cpu")
    whole = clock(lambda _: colorizer.colorize(file.getvalue()), 5)
    app = create_app(Editor(colorizer, options.model, None), PORT)
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}") as client:
        photo = client.post("/api/photos?name=bench.jpg", content=file.getvalue()).json()["id"]
        hints = [
            {"x": 60 * k + 30, "y": 50 * k + 20, "radius": 12, "ab": [20 - 3 * k, 4 * k]} for k in range(10)
        ]

        def preview(turn: int) -> None:
            hints[0]["x"] = 100 + turn
            body = {"wishes": {"hints": hints}, "tab": "bench", "sequence": turn, "side": 1600}
            client.post(f"/api/photos/{photo}/preview", json=body).raise_for_status()

        def suggest(turn: int) -> None:
            hints[0]["x"] = 400 + turn  # so that the network has to run
            body = {"wishes": {"hints": hints}, "x": 500, "y": 300}
            client.post(f"/api/photos/{photo}/suggest", json=body).raise_for_status()

        for name, times in (
            ("hint moved", clock(preview, options.repeats)),
            ("suggestions", clock(suggest, options.repeats)),
        ):
            print(
                f"{name}: median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms, "
                f"{statistics.median(times) / statistics.median(whole):.2f} of a whole colouring"
            )
    print(f"a whole colouring from the file's bytes: median {statistics.median(whole):.0f} ms")


def clock(work: Callable[[int], object], repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` calls after two that do not count."""
    times = []
    for turn in range(repeats + 2):
        start = time.perf_counter()
        work(turn)
        times.append(1e3 * (time.perf_counter() - start))
    return times[2:]


if __name__ == "__main__":
    main()
