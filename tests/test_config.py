"""The schema: defaults, overrides, and one line for everything that does not fit."""

from pathlib import Path

import pytest

from gan_colorize.config import config_yaml, load_config, save_config
from gan_colorize.errors import UserError

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").rglob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_fits_the_schema(path):
    load_config(path)


def test_paper_constants_are_the_defaults():
    """Zhang et al. 2016: 5 neighbours, sigma 5 (2.1); lambda 1/2, sigma 5 (2.2); T 0.38 (2.3)."""
    config = load_config()
    target = config.target
    assert (target.neighbours, target.sigma, target.uniform_share, target.prior_sigma) == (5, 5.0, 0.5, 5.0)
    assert config.loss.temperature == 0.38


def test_file_then_overrides(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("optimizer: {learning_rate: 1e-4}\nphases: [{images: 7}]\n")
    config = load_config(path, ["phases[0].images=9", "model.options.encoder=mobilenet_v2", "run.licence=no"])
    assert config.optimizer.learning_rate == 1e-4  # YAML 1.1 reads 1e-4 as text
    assert config.phases[0].images == 9 and len(config.phases) == 1
    assert config.model.options == {"encoder": "mobilenet_v2"}
    assert config.run.licence == "no"  # and no as False


def test_files_are_laid_over_one_another(tmp_path):
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text("optimizer: {learning_rate: 1e-4}\ndata: {min_scale: 0.7}\n")
    second.write_text("data: {min_scale: 0.6}\n")
    config = load_config([first, second])
    assert (config.optimizer.learning_rate, config.data.min_scale) == (1e-4, 0.6)
    second.write_text("data: {min_scales: 0.6}\n")
    with pytest.raises(UserError, match=r"2\.yaml: Key 'min_scales'"):
        load_config([first, second])


def test_there_and_back(tmp_path):
    config = load_config((), ["data.min_scale=0.7"])
    save_config(config, tmp_path / "c.yaml")
    assert load_config(tmp_path / "c.yaml") == config
    assert "min_scale: 0.7" in config_yaml(config)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a.b=1", "there is no a.b"),
        ("data.hintz=1", "there is no data.hintz"),
        ("data.min_scale=foo", "could not be converted to Float"),
        ("data.min_scale=0", "data.min_scale: 0.0 must be above 0"),
        ("phases[0].crop_size=97", "a multiple of 32"),
        ("phases[0].train=all", "one of generator, discriminator, both"),
        ("loss.adversarial_kind=wgan", "one of hinge"),
        ("data.hints=1.5", "within 0..1"),
        ("target.sigma=-1", "above 0"),
        ("run.precision=int8", "one of auto"),
        ("nonsense", "expected key=value"),
        ("modle.options.encoder=mobilenet_v2", "there is no modle.options.encoder"),
        ("phases[x].images=3", "phases[x].images=3"),
        ("phases=[]", "at least one phase"),
        ("phases=[{images: 9, crop_size: 32, batch_size: 1}]", "phases[0].batch_size: 1 must be at least 2"),
        ("phases=[{loss: {smoth_l1: 1}}]", "phases[0].loss.smoth_l1"),
        ("phases=[{loss: {smooth_l1: much}}]", "phases[0].loss.smooth_l1: much"),
        ("phases=[{loss: {classification: 0}}]", "no term above 0 for phases[0]"),
        ("loss.mse_blurs=[4]", "loss.mse_blurs: [4]"),
        ("task=colourise", "task: colourise must be one of colorize"),
        ("phases[0].learning_rate=-1", "phases[0].learning_rate: -1.0 must be at least 0"),
        ("phases[0].images=0", "at least 1"),
        ("loss.classification=0", "no term above 0 for phases[0]"),
        ("loss.adversarial=-1", "loss.adversarial: -1.0 must be at least 0"),
        ("optimizer.ema_images=0", "above 0"),
        ("optimizer.clip_gradient=0", "above 0"),
        ("optimizer.learning_rate=nan", "optimizer.learning_rate: nan"),
        ("optimizer.betas=[0.9]", "two numbers"),
        ("optimizer.betas=[0.9,1.5]", "two numbers"),
        ("data.validation_size=0", "a multiple of 32"),
        ("data.min_colourfulness=nan", "at least 0"),
        ("target.prior_sigma=0", "above 0"),
        ("run.seed=-1", "at least 0"),
        ("run.working_size=-5", "at least 0"),
    ],
)
def test_a_wrong_override_is_named(override, message):
    with pytest.raises(UserError) as caught:
        load_config((), [override])
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {hintz: 1}", "hintz"),
        ("data: {workers: many}", "many"),
        ("data: [1, 2", "not a YAML file"),
        ("- 1", "found something else"),
        ("5", "c.yaml"),
        ("phases: {train: both}", "c.yaml"),
        ("run: {licence: '${nothing}'}", "nothing"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"c\.yaml") as caught:
        load_config(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_config(tmp_path / "none.yaml")
