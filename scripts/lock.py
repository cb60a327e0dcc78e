"""Write requirements.lock and sbom.json: every package that gan_colorize and its extras bring, with hashes.

    python scripts/lock.py [--python PYTHON ...]

pip chooses the versions for the first PYTHON (default: the one that runs this); the others get the same ones.
Only wheels are considered, so no package's code runs meanwhile. The lock is for the platform it is made on;
use it with

    pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation .
"""

from __future__ import annotations

import argparse
import configparser
import json
import platform
import re
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK, SBOM = ROOT / "requirements.lock", ROOT / "sbom.json"


class LockError(Exception):
    """One line for the person at the keyboard."""


@dataclass
class Package:
    """One package of the lock. hashes: sha256 of its wheels, one for each Python that needs another wheel;
    pythons: the versions of Python that need it; needs: names of the locked packages that it asks for."""

    name: str
    version: str
    licence: str = ""
    hashes: set[str] = field(default_factory=set)
    pythons: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)


def requirements(setup: Path = ROOT / "setup.cfg") -> dict[str, list[str]]:
    """What setup.cfg asks for: "core" and every extra -> requirement lines."""
    parser = configparser.ConfigParser()
    parser.read(setup, encoding="utf-8")
    wanted = {"core": parser["options"]["install_requires"], **parser["options.extras_require"]}
    return {
        name: [line for line in text.splitlines() if line and not line.startswith("#")]
        for name, text in wanted.items()
    }


def report(python: str, wanted: list[str], pins: list[str]) -> dict[str, Any]:
    """pip's plan of an installation into an empty environment (``pip install --report``)."""
    with tempfile.TemporaryDirectory() as folder:
        asked, pinned, plan = (Path(folder, name) for name in ("asked.txt", "pinned.txt", "plan.json"))
        asked.write_text("\n".join(wanted), encoding="utf-8")
        pinned.write_text("\n".join(pins), encoding="utf-8")
        command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--only-binary", ":all:", "--report", str(plan), "-r", str(asked), "-c", str(pinned)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise LockError(f"{python}: {errors[-1] if errors else done.stderr.strip()[-200:]}")
        return json.loads(plan.read_text(encoding="utf-8"))


def merge(reports: list[dict[str, Any]]) -> dict[str, Package]:
    """The packages of several Pythons' plans by name; the versions must agree."""
    packages: dict[str, Package] = {}
    for plan in reports:
        environment = plan["environment"]
        for item in plan["install"]:
            about = item["metadata"]
            name = canonicalize_name(about["name"])
            package = packages.setdefault(name, Package(name, about["version"], _licence(about)))
            if package.version != about["version"]:
                raise LockError(f"{name}: {package.version} for one Python, {about['version']} for another")
            digest = item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256", "")
            if not re.fullmatch("[0-9a-f]{64}", digest):
                raise LockError(f"{name} {package.version}: pip tells no sha256 of its file")
            package.hashes.add(digest)
            package.pythons.add(environment["python_version"])
        for name, needs in _needs(plan).items():
            packages[name].needs |= needs
    for package in packages.values():
        package.needs &= packages.keys()
    return dict(sorted(packages.items()))


def _needs(plan: dict[str, Any]) -> dict[str, set[str]]:
    """Names that each package of a plan asks for, with the extras that others ask of it."""
    asked = {
        canonicalize_name(item["metadata"]["name"]): [
            Requirement(line) for line in item["metadata"].get("requires_dist", [])
        ]
        for item in plan["install"]
    }
    extras: dict[str, set[str]] = {name: {""} for name in asked}
    needs: dict[str, set[str]] = {name: set() for name in asked}
    before = -1
    while before != (before := sum(map(len, extras.values()))):  # an extra may bring another's extra
        for name, requirements_ in asked.items():
            for needed in requirements_:
                environments = [plan["environment"] | {"extra": extra} for extra in extras[name]]
                if needed.marker is None or any(map(needed.marker.evaluate, environments)):
                    other = canonicalize_name(needed.name)
                    needs[name].add(other)
                    extras.get(other, set()).update(needed.extras)
    return needs


def _licence(about: dict[str, Any]) -> str:
    """What a package's metadata says, in one line; texts of whole licences are no names."""
    known = [about.get("license_expression"), about.get("license")]
    known += [
        line.rpartition(" :: ")[2] for line in about.get("classifier", []) if line.startswith("License ::")
    ]
    return next((text for text in known if text and "\n" not in text and len(text) < 100), "")


def lock_text(packages: dict[str, Package], pythons: list[str], system: str) -> str:
    """requirements.lock: pip's format, with hashes; a marker where not every Python needs a package."""
    lines = [
        "# Every package that gan_colorize and all its extras bring, by version and sha256 of its wheels.",
        f"# Made by scripts/lock.py for {system}, Python {' and '.join(pythons)}. Not to be edited. Use:",
        "#   pip install --require-hashes -r requirements.lock",
        "#   pip install --no-deps --no-build-isolation .",
    ]
    for package in packages.values():
        missing = len(package.pythons) < len(pythons)
        which = " or ".join(f'python_version == "{python}"' for python in sorted(package.pythons))
        marker = f" ; {which}" if missing else ""
        hashes = [f"    --hash=sha256:{digest}" for digest in sorted(package.hashes)]
        lines.append(f"{package.name}=={package.version}{marker} \\\n" + " \\\n".join(hashes))
    return "\n".join(lines) + "\n"


def sbom(packages: dict[str, Package], version: str) -> dict[str, Any]:
    """A software bill of materials: CycloneDX 1.5 (ECMA-424), the same for the same packages."""

    def reference(package: Package) -> str:
        return f"pkg:pypi/{package.name}@{package.version}"

    own = f"pkg:pypi/gan-colorize@{version}"
    asked = {canonicalize_name(Requirement(line).name) for lines in requirements().values() for line in lines}
    components = [
        {
            "type": "library",
            "bom-ref": reference(package),
            "name": package.name,
            "version": package.version,
            "purl": reference(package),
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(package.hashes)],
            **({"licenses": [{"license": {"name": package.licence}}]} if package.licence else {}),
        }
        for package in packages.values()
    ]
    depends = {own: asked & packages.keys()} | {reference(p): p.needs for p in packages.values()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "gan_colorize",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(reference(packages[name]) for name in names)}
            for ref, names in depends.items()
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", help="an interpreter with pip; repeat for several")
    pythons = parser.parse_args().python or [sys.executable]
    wanted = sorted({line for lines in requirements().values() for line in lines})
    reports: list[dict[str, Any]] = []
    for python in pythons:
        pins = [f"{p.name}=={p.version}" for p in merge(reports).values()]
        reports.append(report(python, wanted, pins))
    packages = merge(reports)
    versions = sorted({plan["environment"]["python_version"] for plan in reports})
    system = f"{platform.system()} {platform.machine()}"
    LOCK.write_text(lock_text(packages, versions, system), encoding="utf-8")
    own = re.search(r'^__version__ = "(.+)"', (ROOT / "gan_colorize/__init__.py").read_text("utf-8"), re.M)[1]
    SBOM.write_text(json.dumps(sbom(packages, own), indent=1) + "\n", encoding="utf-8")
    print(f"{LOCK.name}, {SBOM.name}: {len(packages)} packages for {system}, Python {', '.join(versions)}")


if __name__ == "__main__":
    try:
        main()
    except LockError as error:
        sys.exit(f"Error: {error}")
