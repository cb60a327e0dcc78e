"""From a fresh checkout to coloured photographs: python3 scripts/quickstart.py

Makes the environment, installs gan_colorize, colours the example photographs that come with it into out/
and writes out/contact_sheet.jpg (before | after). $GAN_COLORIZE_VENV puts the environment elsewhere.
"""

import argparse
import os
import subprocess

from _venv import ROOT, ensure, interpreter, location, run_script

EXAMPLES = ROOT / "gan_colorize" / "examples" / "grey"
OUTPUT = ROOT / "out"
SHEET = OUTPUT / "contact_sheet.jpg"

NEXT = """
Done. Look at {sheet}
The coloured photographs are beside it.

Try next:
  your own photographs   {command} colorize YOUR_FOLDER --output COLOURED
  other colours          {command} colorize PHOTO.jpg --output VARIANTS --samples 4 --seed 1
  train on your folder   {command} train --data YOUR_COLOUR_FOLDER --output runs/mine
  colour with that run   {command} colorize YOUR_FOLDER --output COLOURED --model runs/mine
  all options            {command} COMMAND --help
"""


def console_script():
    """The installed gan-colorize command as one types it from here, quoted when its path has a space."""
    path = interpreter(location()).with_name("gan-colorize" + (".exe" if os.name == "nt" else ""))
    try:
        shown = os.path.relpath(path)
    except ValueError:  # another drive on Windows
        shown = str(path)
    return f'"{shown}"' if " " in shown else shown


def main():
    """0 when every example was coloured and the sheet is written, else the failing step's exit code."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    python = str(ensure())
    print(f"Colouring {len(list(EXAMPLES.glob('*.jpg')))} photographs of {EXAMPLES}", flush=True)
    steps = (
        ["-m", "gan_colorize", "colorize", str(EXAMPLES), "--output", str(OUTPUT), "--overwrite"],
        [str(ROOT / "scripts" / "contact_sheet.py"), str(EXAMPLES), str(OUTPUT), str(SHEET)],
    )
    for step in steps:
        code = subprocess.call([python, *step], cwd=ROOT)
        if code:
            return code
    print(NEXT.format(sheet=SHEET, command=console_script()))
    return 0


if __name__ == "__main__":
    run_script(main)
