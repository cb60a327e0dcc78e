"""What entries are called."""

from pathlib import Path

import pytest

from gan_colorize.errors import UserError
from gan_colorize.evaluation.benchmark.names import default_name, named


def test_names_follow_the_files(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine" / "best"
    run.mkdir(parents=True)
    (run / "model.safetensors").touch()
    assert default_name("default") == "default"
    assert default_name(str(run / "model.safetensors")) == "mine"
    assert default_name(str(tmp_path / "runs" / "mine")) == "mine"
    assert default_name("weights/cic.safetensors") == "cic"
    assert default_name("val256/") == "val256"


def test_a_name_may_be_given() -> None:
    found = named(["cic=weights/a.safetensors", "default", "runs/b"], "--model")
    assert found == {"cic": "weights/a.safetensors", "default": "default", "b": "runs/b"}
    assert named(["runs/x=3/model.safetensors"], "--model") == {"x=3": "runs/x=3/model.safetensors"}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["a/x", "b/x"], "two entries are called 'x'"),
        (["grey=a"], "'grey' is a row of every benchmark"),
        (["truth=a"], "'truth' is a row of every benchmark"),
        (["=a"], "neither of them empty"),
        (["a="], "neither of them empty"),
    ],
)
def test_names_must_be_unique_and_free(values: list[str], why: str) -> None:
    with pytest.raises(UserError, match=why):
        named(values, "--model")
    with pytest.raises(UserError, match="two entries"):
        named(["x"], "--external", {"x": "y"})
