"""Put a trained generator into the package: fp16, with the metadata that a stranger needs.

    python scripts/ship_weights.py RUN [--temperature T] [--working-size PX]

The decode temperature and the working size are measured after training (``evaluate`` with several values),
so they may replace what the run wrote down.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gan_colorize.training.checkpoints import OWN_KEYS
from gan_colorize.zoo.checkpoint import load_model, read_metadata, save_model

TARGET = Path(__file__).resolve().parents[1] / "gan_colorize" / "zoo" / "weights" / "default.safetensors"
LARGEST_MEGABYTES = 16.0


def main() -> int:
    """Convert, check the size, check that the file loads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder or .safetensors file")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--working-size", type=int)
    options = parser.parse_args()
    metadata = {key: value for key, value in read_metadata(options.run).items() if key not in OWN_KEYS}
    if options.temperature is not None:
        metadata["temperature"] = options.temperature
    if options.working_size is not None:
        metadata["working_size"] = options.working_size
    save_model(TARGET, load_model(options.run), metadata, half=True)
    megabytes = TARGET.stat().st_size / 1e6
    print(f"{TARGET}: {megabytes:.1f} MB, {read_metadata(TARGET)}")
    load_model(TARGET)
    if megabytes > LARGEST_MEGABYTES:
        print(f"larger than {LARGEST_MEGABYTES} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
