"""Two processes with half a batch each learn what one with the whole batch learns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gan_colorize

UNET = {
    "encoder_widths": [8, 8, 8, 8, 8],
    "decoder_widths": [8, 8, 8, 8],
    "encoder_blocks": [0, 0, 0, 0, 1],
    "decoder_blocks": [0, 0, 0, 1],
}
JOB = Path(__file__).with_name("gradients_job.py")
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(gan_colorize.__file__).parents[1]),
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


# network, options, what trains, images at once, losses, norms
GAME = {"r1": 1.0, "feature_matching": 0.5, "smooth_l1": 1.0}
PLAIN = {"smooth_l1": 1.0, "adversarial_kind": "least_squares"}
CASES = {
    "game": ("unet", UNET, "both", 0, GAME, "of batches"),
    "a head left out": (
        "user_guided",
        {"width": 4},
        "generator",
        0,
        {"classification": 0.0, "smooth_l1": 1.0},
        "of batches",
    ),
    "classes and colours": ("user_guided", {"width": 4}, "generator", 0, {"smooth_l1": 1.0}, "of batches"),
    "norms of several images": ("cic", {"width": 8}, "generator", 0, {}, "of batches"),
    "whole": ("unet", UNET, "both", 0, PLAIN, "of groups"),
    "micro-batches": ("unet", UNET, "both", 2, PLAIN, "of groups"),
}
Found = dict[tuple[str, int], list[dict]]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Found:
    """What the ranks of one and of two processes found, by case and number of processes."""
    if sys.platform == "win32":
        pytest.skip("torchrun's rendezvous is tried on POSIX systems")
    folder = tmp_path_factory.mktemp("gradients")
    results: Found = {}
    for processes in (1, 2):
        launcher = [sys.executable]
        if processes > 1:
            launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        done = subprocess.run(
            [*launcher, str(JOB), str(folder), json.dumps(list(CASES.values()))],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        for number, case in enumerate(CASES):
            files = [folder / f"{number}-{processes}-{rank}.pt" for rank in range(processes)]
            results[case, processes] = [torch.load(file, weights_only=True) for file in files]
    return results


def close(one, other, relative):
    """Compared with the largest value of each tensor: single entries may cancel to nothing. So may a whole
    tensor (a bias before a norm, or that of scores whose terms cancel): then with the others'."""
    assert one.keys() == other.keys()
    largest = max((value.abs().max().item() for value in one.values() if value.numel()), default=0.0)
    for name in one:
        a, b = one[name].double(), other[name].double()
        scale = max(a.abs().max().item() if a.numel() else 0.0, 3e-2 * largest)
        torch.testing.assert_close(a, b, rtol=0.0, atol=relative * scale, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("case", [case for case in CASES if case != "micro-batches"])
def test_gradients_equal_those_of_one_process(found, case):
    (alone,), (first, second) = found[case, 1], found[case, 2]
    for player in ["generator", "discriminator"] if CASES[case][2] == "both" else ["generator"]:
        assert alone[player]
        close(first[player], second[player], 0.0)  # both have the mean
        close(alone[player], first[player], 5e-4)
        close(alone[f"{player}_buffers"], first[f"{player}_buffers"], 1e-4)
    means = {name: (first["terms"][name] + second["terms"][name]) / 2 for name in alone["terms"]}
    close(alone["terms"], means, 1e-4)


@pytest.mark.parametrize("processes", [1, 2])
def test_micro_batches_add_up_to_the_gradients_of_the_batch(found, processes):
    """Of a network whose norms do not look at the batch."""
    (whole,) = found["whole", 1]
    for part in found["micro-batches", processes]:
        for player in ("generator", "discriminator"):
            close(whole[player], part[player], 5e-4)
