"""An index.json that somebody's server sends: its words become names of files only when they are hashes."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from gan_colorize.data.shard_index import index_shard, parse_index
from gan_colorize.errors import UserError


@pytest.fixture
def index(tmp_path):
    """Of a shard with one picture, as its JSON's content."""
    encoded = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)).save(encoded, "PNG")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("0.png")
        member.size = len(encoded.getvalue())
        archive.addfile(member, io.BytesIO(encoded.getvalue()))
    return json.loads(index_shard(tmp_path / "a.tar", "a.tar").to_json())


def test_an_index_is_read_back(index):
    assert parse_index(json.dumps(index).encode(), "index.json").records[0].members == ["0.png"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "/tmp/victim"),
        ("sha256", "../../victim"),
        ("sha256", 5),
        ("sha256", "AB" * 32),
        ("name", ["a.tar"]),
        ("members", [7]),
        ("widths", ["wide"]),
        ("offsets", [-1]),
    ],
)
def test_what_cannot_be_true_is_refused_in_one_line(index, key, value):
    index["shards"][0][key] = value
    with pytest.raises(UserError, match=r"^index\.json: damaged index") as caught:
        parse_index(json.dumps(index).encode(), "index.json")
    assert "\n" not in str(caught.value)
