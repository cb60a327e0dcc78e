"""What packing leaves beside its shards: how far it came, and what became of every photograph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..data.shard_index import INDEX_NAME, ShardIndex, parse_index
from ..errors import UserError
from ..files import atomic_path, save_bytes
from .likeness import Likeness

REPORT_NAME = "report.jsonl"
_FOLDER = ".pack"
_PLAN = "plan.json"


@dataclass
class ShardState:
    """What is known when a shard is whole.

    done: photographs looked at, in the order of packing, when it was. index: of this shard alone.
    known: (number, likeness) of its photographs. lines: of the report, for all photographs since the shard
    before, in order.
    """

    done: int
    index: ShardIndex
    known: list[tuple[int, Likeness]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)


class PackState:
    """The folder ``.pack`` in the output: a file for each shard that is whole, and the plan.

    Raises:
        UserError: the output holds something else, or was begun with another plan.
    """

    def __init__(self, output: Path, plan: dict[str, Any], resume: bool) -> None:
        self.output, self._folder = output, output / _FOLDER
        there = {path.name for path in output.iterdir()} if output.is_dir() else set()
        if there and not resume:
            raise UserError(
                f"--output {output}: not empty; name another folder, or add --resume to go on with a packing"
            )
        if INDEX_NAME in there:
            raise UserError(f"--output {output}: its packing is complete; there is nothing to resume")
        if there and _FOLDER not in there:
            raise UserError(f"--output {output}: holds {min(there)} but no packing to resume")
        path = self._folder / _PLAN
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = sorted(key for key in before | plan if before.get(key) != plan.get(key))
            if changed:
                key = changed[0]
                raise UserError(
                    f"--output {output}: was begun with {key} {before.get(key)}, now it is {plan.get(key)}; "
                    "give what was given before, or name another folder"
                )
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            save_bytes(path, json.dumps(plan).encode())

    def shards(self) -> Iterator[ShardState]:
        """Those that are whole, in order."""
        number = 0
        while (path := self._path(number)).is_file():
            yield self._read(path)
            number += 1

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.json"

    def _read(self, path: Path) -> ShardState:
        try:
            found = json.loads(path.read_bytes())
            index = parse_index(json.dumps(found["index"]).encode(), str(path))
            known = [(number, Likeness(p, s, bytes.fromhex(f))) for number, p, s, f in found["known"]]
            record = index.records[0]
            size = (self.output / record.name).stat().st_size
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: what was packed before is damaged ({error}); begin anew") from error
        if size != record.bytes:
            raise UserError(f"{self.output / record.name}: changed since it was packed; begin anew")
        return ShardState(found["done"], index, known, found["lines"])

    def save(self, number: int, state: ShardState) -> None:
        """Shard ``number`` is whole."""
        whole = {
            "done": state.done,
            "index": json.loads(state.index.to_json()),
            "known": [(n, one.pixels, one.signs, one.fields.hex()) for n, one in state.known],
            "lines": state.lines,
        }
        save_bytes(self._path(number), json.dumps(whole).encode())

    def discard(self) -> None:
        """Nothing was packed: another try begins anew."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def finish(self, rest: list[dict[str, Any]]) -> ShardIndex:
        """Write the report and the index of all shards; ``rest``: lines after the last shard."""
        index = ShardIndex()
        with (
            atomic_path(self.output / REPORT_NAME) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            for state in self.shards():
                index.add(state.index)
                file.writelines(json.dumps(line) + "\n" for line in state.lines)
            file.writelines(json.dumps(line) + "\n" for line in rest)
        index.save(self.output / INDEX_NAME)
        self.discard()
        return index


def plan_of(options: object, source: str, photographs: int) -> dict[str, Any]:
    """What must be the same when a packing is resumed."""
    return {"photographs": photographs, "source": source, **asdict(options)}
