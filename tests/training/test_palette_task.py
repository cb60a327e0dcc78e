"""Training on texts and palettes: what a run leaves, that it resumes exactly, what it refuses."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from gan_colorize.cli.main import main
from gan_colorize.config import load_config
from gan_colorize.errors import UserError
from gan_colorize.models.text2palette import Palettes
from gan_colorize.training import palette_step
from gan_colorize.training.loop import train
from gan_colorize.training.palette_step import divergence
from gan_colorize.training.palette_task import PaletteTask
from gan_colorize.training.task import check_run
from gan_colorize.zoo.checkpoint import load_model

OVERRIDES = [
    "task=palette",
    "model.name=text2palette",
    "model.options.width=12",
    "discriminator.name=palette_critic",
    "discriminator.options.text_width=12",
    "data.validation_images=6",
    "loss.classification=0",
    "loss.smooth_l1=100",
    "loss.kl=0.5",
    "loss.adversarial_kind=non_saturating",
    "optimizer.learning_rate=3e-3",
    "optimizer.warmup_images=8",
    "run.log_every=16",
    "run.validate_every=32",
    "run.checkpoint_every=32",
    "phases=[{train: generator, images: 48, batch_size: 8, loss: {energy: 100.0, smooth_l1: 0.0}},"
    "{train: both, images: 48, batch_size: 8, loss: {energy: 100.0}},"
    "{train: discriminator, images: 16, batch_size: 8},"
    "{train: both, images: 32, batch_size: 8}]",
]


@pytest.fixture
def config():
    return load_config((), OVERRIDES)


@pytest.fixture
def table(tmp_path, word_vectors):
    """40 pairs: what is sea is blue, what is forest is green; one row is broken."""
    rng = np.random.default_rng(0)
    rows = ["text,palette_rgb"]
    for index in range(40):
        sea = index % 2 == 0
        colours = rng.integers(0, 90, (5, 3))
        colours[:, 2 if sea else 1] += 150
        text = f"{('deep', 'the', 'autumn')[index % 3]} {'sea' if sea else 'forest'}"
        rows.append(f"{text},{' '.join(bytes(c.astype(np.uint8)).hex() for c in colours)}")
    rows.append("broken,12")
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(rows))
    return path


def silent(*_):
    return None


def prepare(config, table, folder):
    folder.mkdir(parents=True, exist_ok=True)
    return PaletteTask.prepare(config, [table], [], folder, silent, silent)


def run(config, table, folder, resume=False, init=None):
    return train(config, prepare(config, table, folder), folder, "cpu", resume, init)


def records(folder):
    return [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]


def test_the_command_leaves_a_model_swatches_and_a_list_of_bad_rows(table, tmp_path):
    arguments = [piece for override in OVERRIDES for piece in ("--set", override)]
    result = CliRunner().invoke(
        main,
        ["train", "--data", str(table), "--output", str(tmp_path / "run"), "--device", "cpu", *arguments],
    )
    assert result.exit_code == 0, result.output
    folder = tmp_path / "run"
    assert "pairs.csv:42" in (folder / "skipped.txt").read_text()
    assert "1 rows are no pair" in result.output and "34 pairs to learn from, 6 held out" in result.output
    assert list((folder / "samples").glob("*.jpg"))
    model = load_model(folder)
    assert set(model.vocabulary) == {"deep", "the", "autumn", "sea", "forest"}
    lines = records(folder)
    by_phase = [set().union(*(line for line in lines if line.get("phase") == phase)) for phase in range(4)]
    assert {"energy", "kl"} <= by_phase[0] and not {"smooth_l1", "adversarial"} & by_phase[0]
    assert {"energy", "smooth_l1", "adversarial", "discriminator"} <= by_phase[1]
    assert "discriminator" in by_phase[2] and "kl" not in by_phase[2]
    assert {"smooth_l1", "kl", "adversarial"} <= by_phase[3] and "energy" not in by_phase[3]
    measured = [line for line in lines if "validation_loss" in line]
    assert {"validation_distance", "validation_diversity", "validation_random_distance"} <= set(measured[0])


def test_it_learns_which_words_mean_which_colours(config, table, tmp_path):
    config.phases = config.phases[:1]
    config.phases[0].images = 3000
    config.run.validate_every = 3000
    run(config, table, tmp_path / "run")
    last = records(tmp_path / "run")[-1]
    assert last["validation_loss"] < 0.7 * last["validation_random_loss"]
    assert last["validation_distance"] < 0.75 * last["validation_random_distance"]
    assert last["validation_diversity"] > 5


def test_a_killed_run_resumes_to_the_last_bit(config, table, tmp_path, monkeypatch):
    run(config, table, tmp_path / "whole")
    original, calls = palette_step.PaletteStep.__call__, []

    def step(self, batch, kind):
        calls.append(batch)
        if len(calls) == 11:
            raise KeyError("a kill")
        return original(self, batch, kind)

    monkeypatch.setattr(palette_step.PaletteStep, "__call__", step)
    with pytest.raises(KeyError):
        run(config, table, tmp_path / "killed")
    monkeypatch.setattr(palette_step.PaletteStep, "__call__", original)
    run(config, table, tmp_path / "killed", resume=True)
    whole, killed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert records(tmp_path / "whole") == records(tmp_path / "killed")


def test_batches_follow_from_the_position_and_pass_over_every_pair(config, table, tmp_path):
    data = prepare(config, table, tmp_path / "run")
    task = PaletteTask(config, data, torch.device("cpu"), precision(), False, None)
    phase = config.phases[0]

    def take(position, count):
        return [batch for batch, _ in zip(task.batches(phase, position), range(count), strict=False)]

    batches = take(0, 17)  # four passes over 34 pairs
    (again,) = take(24, 1)
    assert again.position == batches[3].position == 32
    assert torch.equal(again.palettes, batches[3].palettes)
    assert torch.equal(again.words.rows, batches[3].words.rows)
    seen = torch.cat([batch.palettes for batch in batches]).flatten(1)
    unique, counts = seen.unique(dim=0, return_counts=True)
    assert len(unique) == 34 and (counts == 4).all()


def precision():
    from gan_colorize.training.optim import Precision

    return Precision(torch.device("cpu"), torch.float32)


def test_weights_that_are_gone_on_with_keep_their_vocabulary(config, table, tmp_path):
    run(config, table, tmp_path / "first")
    model = load_model(tmp_path / "first")
    config.model.options = model.options  # as the command adopts them
    config.phases = config.phases[:1]
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace("forest", "berry"))
    run(config, other, tmp_path / "second", init=tmp_path / "first" / "model.safetensors")
    assert load_model(tmp_path / "second").vocabulary == model.vocabulary


def test_divergence_is_torchs_own():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    gaussian = torch.distributions.Normal(mean, (log_variance / 2).exp())
    each = torch.distributions.kl_divergence(gaussian, torch.distributions.Normal(0.0, 1.0))
    guess = Palettes(torch.empty(0), torch.empty(0), mean, log_variance)
    torch.testing.assert_close(divergence(guess, mask), each[mask].mean())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.name=unet", "model.name: unet.*task palette teaches networks that return palette"),
        ("task=colorize", "model.name: text2palette.*task colorize teaches"),
        ("loss.kl=-1", "loss.kl"),
    ],
)
def test_what_cannot_be_learned_is_told_before(override, message):
    overrides = [o for o in OVERRIDES if "width" not in o]
    with pytest.raises(UserError, match=message):
        check_run(load_config((), [*overrides, override]), "cpu", None)


def test_other_measures_and_too_few_pairs_are_refused(config, table, tmp_path):
    config.run.best_by = "psnr"
    with pytest.raises(UserError, match=r"run.best_by: psnr must be loss"):
        run(config, table, tmp_path / "run")
    few = tmp_path / "few.csv"
    few.write_text("\n".join(table.read_text().splitlines()[:4]))
    with pytest.raises(UserError, match="too few"):
        prepare(config, few, tmp_path / "run")


def test_training_needs_the_word_vectors(config, tmp_path, no_word_vectors):
    with pytest.raises(UserError, match="word vectors are not installed"):
        PaletteTask.prepare(config, [tmp_path / "a.csv"], [], tmp_path, silent, silent)
