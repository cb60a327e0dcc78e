"""Ask pip-audit whether anything in requirements.lock is known to be vulnerable.

    python scripts/audit.py

Exit code 0: every package was looked up and none is; 1: some are, all listed; 2: the database could not be
reached, or did not know some of the packages, so nothing can be said of those.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
_COMMAND = [
    *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off", "--timeout", "30"),
]


def verdict(answer: dict[str, Any]) -> tuple[int, list[str]]:
    """What pip-audit's JSON comes to: the exit code, and the lines to print."""
    packages = answer["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    lines = []
    for package in packages:
        for found in package.get("vulns", []):
            fixed = ", ".join(found.get("fix_versions", [])) or "no version yet"
            lines.append(f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}")
    vulnerable = len(lines)
    if unknown:
        some = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        lines.append(f"{len(unknown)} of {len(packages)} packages could not be looked up: {some}")
    checked = len(packages) - len(unknown)
    lines.append(f"{checked} packages checked, {vulnerable} known vulnerabilities")
    return (1 if vulnerable else 2 if unknown or not packages else 0), lines


def main() -> int:
    done = subprocess.run(_COMMAND, capture_output=True, text=True)
    try:
        code, lines = verdict(json.loads(done.stdout))
    except (json.JSONDecodeError, KeyError, TypeError):
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        print(f"the vulnerability database could not be asked; nothing was checked ({last[:300]})")
        return 2
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
