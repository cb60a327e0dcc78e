"""One set of weights, steered: python scripts/steered_sheet.py SHEET.jpg [MODEL]

Example photographs by themselves and as they are wished: with a hint, with a palette, with words.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gan_colorize.errors import UserError
from gan_colorize.files import save_image
from gan_colorize.inference.colorizer import Colorizer

EXAMPLES = Path(__file__).resolve().parents[1] / "gan_colorize" / "examples" / "grey"
WIDTH, GAP, HEADING = 420, 8, 26
BLUE, ORANGE = "#2255aa", "#e06a1b"


def cells(colorizer: Colorizer) -> list[list[tuple[str, Image.Image]]]:
    """Rows of (heading, picture)."""
    coffee, astronaut, alpine = (
        colorizer.open(EXAMPLES / f"{name}.jpg") for name in ("coffee", "astronaut", "alpine_landscape")
    )
    rows = [[("automatic", coffee.predict())], [("automatic", astronaut.predict())]]
    rows.append([("automatic", alpine.predict())])
    coffee.add_hint(300, 340, BLUE, radius=10)
    rows[0].append((f"one hint, {BLUE} on the cup", coffee.predict()))
    coffee.wish(type(coffee.wishes)())
    coffee.add_hint(300, 340, "#7a1f1f", radius=10)
    rows[0].append(("one hint, #7a1f1f", coffee.predict()))
    astronaut.add_hint(150, 380, ORANGE, radius=8)
    rows[1].append((f"one hint, {ORANGE} on the suit", astronaut.predict()))
    astronaut.add_hint(430, 60, "#5f86b8", radius=8)
    rows[1].append(("and one on the wall", astronaut.predict()))
    alpine.set_palette(["c0562b", "e9a441", "7b4929", "f0d9a0"])
    rows[2].append(("palette c0562b,e9a441,7b4929,f0d9a0", alpine.predict()))
    alpine.set_text("deep sea", seed=1)
    rows[2].append(('words "deep sea"', alpine.predict()))
    return [[(title, Image.fromarray(result.rgb8)) for title, result in row] for row in rows]


def main(target: str, model: str = "default") -> None:
    """Write the sheet."""
    font, bands = ImageFont.load_default(16), []
    for row in cells(Colorizer(model, "cpu")):
        height = min(WIDTH, round(WIDTH * row[0][1].height / row[0][1].width))
        band = Image.new("RGB", (len(row) * (WIDTH + GAP) - GAP, height + HEADING), "white")
        draw = ImageDraw.Draw(band)
        for column, (title, picture) in enumerate(row):
            left = column * (WIDTH + GAP)
            draw.text((left + 2, 4), title, fill="black", font=font)
            scaled = picture.resize(
                (WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS
            )
            band.paste(scaled.crop((0, 0, WIDTH, height)), (left, HEADING))
        bands.append(band)
    sheet = Image.new("RGB", (bands[0].width, sum(band.height + GAP for band in bands) - GAP), "white")
    top = 0
    for band in bands:
        sheet.paste(band, (0, top))
        top += band.height + GAP
    save_image(target, sheet, "JPEG", quality=85)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.splitlines()[0])
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"Error: {error}")
