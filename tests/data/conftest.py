"""Makes the helper modules beside the tests importable, in spawned processes too (they inherit sys.path)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
