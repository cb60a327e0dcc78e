"""Make the environment with the dev extras and run the tests: python3 scripts/test.py [pytest args]."""

import subprocess
import sys

from _venv import ROOT, ensure, run_script


def main():
    """pytest's exit code; its arguments are passed on, paths relative to the repository."""
    python = ensure(extras=("dev",))
    return subprocess.call([str(python), "-m", "pytest", *sys.argv[1:]], cwd=ROOT)


if __name__ == "__main__":
    run_script(main)
