"""The list of networks: complete, aligned, and with the published sizes."""

import re

from gan_colorize.models import DISCRIMINATORS, MODELS
from gan_colorize.zoo.checkpoint import DEFAULT_WEIGHTS


def test_every_network_is_listed_with_contract_size_and_source(run):
    result = run("models")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    first, *others = MODELS
    shipped = ["default"] if DEFAULT_WEIGHTS.is_file() else []
    assert list(rows) == ["network", first, *shipped, *others, "discriminator", *DISCRIMINATORS]
    assert not shipped or "hints, histogram, palette, saturation" in rows["default"]
    starts = {heading: lines[0].index(heading) for heading in ("takes", "returns", "source")}
    for line in filter(None, lines):
        for start in starts.values():  # a column's cells begin below its heading, after two spaces
            assert line[start - 2 : start] == "  " and line[start] != " "
    assert re.search(r"cic +- +313 bins +4 +32\.24  Zhang et al", rows["cic"])
    assert re.search(r"user_guided +hints +ab \+ 529 classes +1 +34\.19  Zhang, Zhu", rows["user_guided"])
    assert "scores" in rows["patchgan"]
