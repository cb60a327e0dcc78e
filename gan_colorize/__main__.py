"""``python -m gan_colorize`` is the command ``gan-colorize``."""

from .cli.main import main

if __name__ == "__main__":
    main(prog_name="gan-colorize")
