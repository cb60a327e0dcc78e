"""Before | after, side by side: python scripts/contact_sheet.py BEFORE_FOLDER AFTER_FOLDER SHEET.jpg

Runs in the environment that gan_colorize is installed in (it needs Pillow). Pictures are paired by name.
"""

import sys
from pathlib import Path

from PIL import Image

from gan_colorize.errors import UserError
from gan_colorize.files import save_image

WIDTH, GAP, COLUMNS = 420, 8, 2  # pixels a picture, pixels between pictures, pairs side by side


def pairs(before: Path, after: Path) -> list[tuple[Path, Path]]:
    """The pictures of ``before`` that ``after`` has a picture of the same stem for, in name order.

    Raises:
        UserError: there is none.
    """
    suffixes = (".jpg", ".jpeg", ".png")
    results = {path.stem: path for path in after.iterdir() if path.suffix.lower() in suffixes}
    sources = sorted(path for path in before.iterdir() if path.suffix.lower() in suffixes)
    found = [(path, results[path.stem]) for path in sources if path.stem in results]
    if not found:
        raise UserError(f"{after} holds no picture named like one in {before}")
    return found


def pair_tile(before: Path, after: Path) -> Image.Image:
    """One RGB tile of fixed width: before on the left, after on the right."""
    with Image.open(before) as left, Image.open(after) as right:
        height = round(WIDTH * left.height / left.width)
        tile = Image.new("RGB", (2 * WIDTH, height))
        for column, picture in enumerate((left, right)):
            resized = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
            tile.paste(resized, (column * WIDTH, 0))
    return tile


def contact_sheet(tiles: list[Image.Image]) -> Image.Image:
    """All tiles on white: the tallest first, each in the shorter column, so that columns end level."""
    bottoms = [GAP] * min(COLUMNS, len(tiles))
    places = []
    for tile in sorted(tiles, key=lambda tile: -tile.height):
        column = bottoms.index(min(bottoms))
        places.append((tile, (GAP + column * (2 * WIDTH + GAP), bottoms[column])))
        bottoms[column] += tile.height + GAP
    sheet = Image.new("RGB", (GAP + len(bottoms) * (2 * WIDTH + GAP), max(bottoms)), "white")
    for tile, place in places:
        sheet.paste(tile, place)
    return sheet


def main(before: str, after: str, target: str) -> None:
    """Write the sheet of two folders to ``target``."""
    tiles = [pair_tile(*pair) for pair in pairs(Path(before), Path(after))]
    save_image(target, contact_sheet(tiles), "JPEG", quality=85)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__.splitlines()[0])
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"Error: {error}")
