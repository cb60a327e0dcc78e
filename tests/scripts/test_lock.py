"""The lock keeps what setup.cfg asks for; it and the bill of materials come from pip's own words."""

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+)? \\\n(?P<hashes>(?:    --hash=.*\n)+)"
)


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    """Version by name of requirements.lock; every line of it is understood."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    entries = list(ENTRY.finditer(body))
    assert "".join(entry[0] for entry in entries) == body
    for entry in entries:
        for line in entry["hashes"].splitlines():
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line), line
    return {entry["name"]: entry["version"] for entry in entries}


def plan(python: str, *packages: dict) -> dict:
    """A report of ``pip install --report`` (version 1) on an empty environment."""
    environment = {"python_version": python, "sys_platform": "linux", "implementation_name": "cpython"}
    return {"environment": environment, "install": list(packages)}


def item(name: str, version: str, digit: str, needs: tuple[str, ...] = (), **about: object) -> dict:
    return {
        "metadata": {"name": name, "version": version, "requires_dist": list(needs), **about},
        "download_info": {
            "url": f"https://example.org/{name}.whl",
            "archive_info": {"hashes": {"sha256": digit * 64}},
        },
    }


def test_the_lock_keeps_every_requirement_of_setup_cfg(script, locked) -> None:
    wanted = script("lock").requirements()
    assert {"core", "dev", "ui", "onnx", "video", "benchmark"} <= wanted.keys()
    for lines in wanted.values():
        for line in lines:
            requirement = Requirement(line)
            version = locked.get(canonicalize_name(requirement.name))
            assert version is not None, f"{line} is not in requirements.lock: run scripts/lock.py"
            assert requirement.specifier.contains(version), f"{line}, locked {version}: run scripts/lock.py"


def test_the_lock_names_no_host_and_no_path() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text and "/" not in text.replace("scripts/lock.py", "")
    assert re.search(r"for Linux x86_64, Python 3\.11", text)


def test_the_bill_of_materials_is_that_of_the_lock(locked) -> None:
    bill = json.loads((ROOT / "sbom.json").read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert {part["name"]: part["version"] for part in bill["components"]} == locked
    references = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {entry["ref"] for entry in bill["dependencies"]} == references
    needed = {name for entry in bill["dependencies"] for name in entry["dependsOn"]}
    assert needed <= references
    assert needed == {part["bom-ref"] for part in bill["components"]}  # nothing is there that nobody asks for


def test_plans_of_two_pythons_become_one_lock(script) -> None:
    lock = script("lock")
    packages = lock.merge(
        [
            plan(
                "3.11",
                item("Big_Package", "2.0", "a", ("small[x]>=1; python_version < '3.12'", "no; extra == 'x'")),
                item("small", "1.5", "b", ("tiny; extra == 'x'",), license_expression="MIT"),
                item("tiny", "0.1", "d"),
            ),
            plan("3.12", item("Big_Package", "2.0", "c")),
        ]
    )
    assert lock.lock_text(packages, ["3.11", "3.12"], "Linux x86_64").splitlines()[4:] == [
        "big-package==2.0 \\",
        f"    --hash=sha256:{'a' * 64} \\",
        f"    --hash=sha256:{'c' * 64}",
        'small==1.5 ; python_version == "3.11" \\',
        f"    --hash=sha256:{'b' * 64}",
        'tiny==0.1 ; python_version == "3.11" \\',
        f"    --hash=sha256:{'d' * 64}",
    ]
    bill = lock.sbom(packages, "1.0")
    assert bill["components"][1]["licenses"] == [{"license": {"name": "MIT"}}]
    depends = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    assert depends["pkg:pypi/big-package@2.0"] == ["pkg:pypi/small@1.5"]
    assert depends["pkg:pypi/small@1.5"] == ["pkg:pypi/tiny@0.1"]
    assert bill == lock.sbom(packages, "1.0")


def test_what_cannot_be_locked_is_one_line(script) -> None:
    lock = script("lock")
    with pytest.raises(lock.LockError, match=r"a: 1 for one Python, 2 for another"):
        lock.merge([plan("3.11", item("a", "1", "a")), plan("3.12", item("a", "2", "a"))])
    with pytest.raises(lock.LockError, match="no sha256"):
        lock.merge([plan("3.11", item("a", "1", ""))])


def test_an_audit_says_what_it_could_not_look_up(script) -> None:
    verdict = script("audit").verdict
    clean = {"name": "a", "version": "1", "vulns": []}
    bad = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    unknown = {"name": "c", "skip_reason": "not found"}
    assert verdict({"dependencies": [clean]}) == (0, ["1 packages checked, 0 known vulnerabilities"])
    code, lines = verdict({"dependencies": [clean, bad, unknown]})
    assert code == 1 and lines[0] == "b 2: CVE-1, fixed in 3"
    assert lines[1] == "1 of 3 packages could not be looked up: c"
    assert verdict({"dependencies": [clean, unknown]})[0] == 2
    assert verdict({"dependencies": []})[0] == 2  # nothing was looked at: that is no clean bill
