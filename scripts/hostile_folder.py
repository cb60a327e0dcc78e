"""Build a folder of good, odd, broken and malicious files, and say what is to become of each.

    python scripts/hostile_folder.py OUT [--seed 0] [--small]

OUT/hostile is the folder; OUT/expected.json lists every file in it with its kind, whether it is good or bad,
the size, the pages and the depth of good ones and the reason of bad ones. OUT/outside holds canaries: nothing
may touch them. Files are made by Pillow, tifffile, imagecodecs, OpenCV, by hand from the specifications, and
by ImageMagick, GraphicsMagick, ffmpeg and libtiff's tools where those are installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostile import bad, bombs, good_jpeg, good_other, good_png, good_tiff, paths
from hostile.by_hand import GREY, png
from hostile.case import Case, as8, photograph

# What the reduced folder leaves out: it takes seconds to read, not milliseconds.
_SLOW = (
    "300 MB",
    "500 MB",
    "1 GB",
    "60000 zeros",
    "20000x20000",
    "3000x3000",
    "5,000 ",
    "20000",
    "20 MB",
    "200,000",
)


def every_case(seed: int, small: bool) -> Iterator[Case]:
    """The files with content; ``small`` leaves out what takes long and most of what is alike."""
    groups = (good_png, good_jpeg, good_tiff, good_other, bombs, paths)
    cases = [case for group in groups for case in group.cases()] + list(bad.cases(seed))
    if not small:
        yield from cases
        return
    quick = [case for case in cases if not any(word in case.kind for word in _SLOW)]
    for index, case in enumerate(quick):
        if index % 4 == 0 or case.name.startswith("paths/"):
            yield case


def build(out: Path, seed: int = 0, small: bool = False) -> list[Case]:
    """Fill ``out``; returns the cases under their true names, in which a token such as c017 is unique.

    Raises:
        FileExistsError: ``out`` is there.
    """
    root = out / "hostile"
    root.mkdir(parents=True)
    picture = png(as8(photograph(24, 20, seed=62)), 8, GREY)
    (out / "outside").mkdir()
    (out / paths.OUTSIDE).write_bytes(picture)
    (out / "outside/canary.txt").write_text("untouched")
    made = []
    for case in every_case(seed, small):
        case.name = _with_token(case.name, len(made))
        path = root / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data or b"")
        case.data = None  # hundreds of megabytes in all
        made.append(case)
    for case, make in paths.special():
        case.name = _with_token(case.name, len(made))
        (root / case.name).parent.mkdir(parents=True, exist_ok=True)
        make(root / case.name, root)
        made.append(case)
    (root / "empty").mkdir()
    told = {"seed": seed, "files": [case.told() for case in made]}
    # ASCII: names need not be Unicode
    (out / "expected.json").write_text(json.dumps(told, indent=1) + "\n", encoding="ascii")
    return made


def _with_token(name: str, index: int) -> str:
    return name.replace("@", f"c{index:03d}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of what is damaged at random")
    parser.add_argument("--small", action="store_true", help="a quarter of it, quickly read")
    options = parser.parse_args()
    cases = build(options.out, options.seed, options.small)
    kinds = {case.kind for case in cases}
    counts = {
        outcome: sum(case.outcome == outcome for case in cases)
        for outcome in ("good", "bad", "either", "ignored")
    }
    print(
        f"{len(cases)} files in {len(kinds)} kinds: "
        + ", ".join(f"{count} {name}" for name, count in counts.items())
    )


if __name__ == "__main__":
    main()
