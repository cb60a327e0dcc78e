"""Models on disk: safetensors files that say what they hold, checked before a tensor is read."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from ..errors import UserError, one_line
from ..files import file_hash as file_hash  # is asked of models
from ..files import save_bytes

FORMAT_VERSION = 1
DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "default.safetensors"
DEFAULT_PALETTES = DEFAULT_WEIGHTS.with_name("text2palette.safetensors")  # draws palettes, colours nothing
# Where a run folder keeps its generator, the finished and best one first.
RUN_FOLDER_ORDER = ("model.safetensors", "best/model.safetensors", "last/model.safetensors")


def save_model(
    path: str | Path, model: nn.Module, metadata: dict[str, str | int | float], half: bool = False
) -> None:
    """Write ``model`` (``.name``, ``.options``, weights) and ``metadata`` to one safetensors file.

    half: store matrices and kernels as fp16. Vectors (biases, norm statistics) stay as they are:
        they weigh next to nothing and a running variance can leave fp16's range.

    Raises:
        UserError: the file cannot be written; an older file at ``path`` stays as it was.
    """
    from ..color.bins import bins_hash

    tensors = {}
    for name, tensor in model.state_dict().items():
        # safetensors refuses channels_last and shared storage.
        stored = tensor.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
        if half and stored.is_floating_point() and stored.ndim >= 2:
            stored = stored.half()
        tensors[name] = stored.contiguous()
    header = {key: str(value) for key, value in metadata.items()}
    header |= {
        "format_version": str(FORMAT_VERSION),
        "model": model.name,
        "options": json.dumps(model.options, sort_keys=True),
        "bins_hash": bins_hash(),
    }
    # not save_file: it gives the file a mode of its own and hides a full disk in its own exception
    save_bytes(path, save(tensors, metadata=header))


def load_model(path_or_name: str | Path = "default", device: torch.device | str = "cpu") -> nn.Module:
    """The network of a safetensors file, a run folder or the shipped ``"default"``.

    Returns it in eval mode and float32 on ``device``, with the file's ``.metadata`` (dict of str).
    Nothing is ever unpickled.

    Raises:
        UserError: one line for a file that is missing, a pickle, a web page, cut short, built on other
            bins, of an unknown network, or whose tensors do not fit that network.
    """
    from ..color.bins import bins_hash
    from ..models import MODELS, create_model

    path = resolve_model(path_or_name)
    metadata = model_metadata(path)
    if metadata["bins_hash"] != bins_hash():
        raise UserError(
            f"{path}: was trained on another set of ab bins (hash {metadata['bins_hash'][:12]}..., "
            f"this version has {bins_hash()[:12]}...); its colours would be wrong"
        )
    if metadata["model"] not in MODELS:
        raise UserError(f"{path}: unknown model {metadata['model']!r}; known are {', '.join(sorted(MODELS))}")
    try:
        model = create_model(metadata["model"], json.loads(metadata["options"]))
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path}: cannot build {metadata['model']!r} from its options: {one_line(error)[:200]}"
        ) from error
    _load_tensors(path, model)
    model.metadata = metadata
    name = "default" if path == DEFAULT_WEIGHTS else Path(path_or_name).name
    model.came_from = (name, path, _state_of(path))
    return model.to(device).eval()


def resolve_model(path_or_name: str | Path) -> Path:
    """The safetensors file that a --model value means: a file, a run folder's model, or "default"."""
    if str(path_or_name) == "default":
        path = DEFAULT_WEIGHTS
        if not path.is_file():
            raise UserError(f"the default weights are missing from this installation ({path}); name a model")
        return path
    path = Path(path_or_name)
    if path.is_dir():
        for candidate in RUN_FOLDER_ORDER:
            if (path / candidate).is_file():
                return path / candidate
        raise UserError(f"{path}: no model in this folder (looked for {', '.join(RUN_FOLDER_ORDER)})")
    if not path.exists():
        raise UserError(f"model not found: {path} (a .safetensors file, a run folder, or the name default)")
    return path


def read_metadata(path_or_name: str | Path) -> dict[str, str]:
    """The header's metadata of a model whose every byte is there; no tensor is read.

    Raises:
        UserError: missing, a pickle, a web page, not safetensors, or cut short.
    """
    path = resolve_model(path_or_name)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
            _refuse_other_kinds(path, start)
            length = int.from_bytes(start[:8], "little")
            if length > 100_000_000:  # the format's own limit; anything above is some other kind of file
                raise UserError(f"{path}: is not a safetensors file")
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise UserError(f"cannot read model {path}: {error.strerror or error}") from error
    if len(text) < length:
        raise UserError(f"{path}: is cut short ({size:,} bytes); copy or download it again")
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise UserError(f"{path}: is not a safetensors file (its header cannot be read)") from error
    if 8 + length + end > size:
        missing = 8 + length + end - size
        raise UserError(f"{path}: is cut short ({missing:,} bytes are missing); copy or download it again")
    return metadata


def weights_of(model: nn.Module) -> tuple[str, str | None]:
    """What a network's weights are called and the sha256 of their file.

    The hash is None for a network that came from no file, or whose file has changed since.
    """
    name, path, state = getattr(
        model, "came_from", (getattr(model, "name", type(model).__name__), None, None)
    )
    try:
        return name, _hash_of(path, state) if path is not None and _state_of(path) == state else None
    except OSError:
        return name, None


def _state_of(path: Path) -> tuple[int, int]:
    there = path.stat()
    return there.st_size, there.st_mtime_ns


@lru_cache(maxsize=8)
def _hash_of(path: Path, state: tuple[int, int]) -> str:
    """Once for each state of a file: a hundred megabytes take a tenth of a second."""
    return file_hash(path)


def working_size(model: nn.Module) -> int:
    """Short side in pixels that the network was trained to see; 256 when its metadata is silent."""
    return round(_positive(model, "working_size", 256.0))


def default_temperature(model: nn.Module) -> float:
    """Decoding temperature measured for this model; else the paper's 0.38 (CIC section 2.3)."""
    return _positive(model, "temperature", 0.38)


def default_saturation(model: nn.Module) -> float:
    """What this model's mean colours are multiplied with, measured for it; 1 when its metadata is silent."""
    return _positive(model, "saturation", 1.0)


def _positive(model: nn.Module, key: str, default: float) -> float:
    text = getattr(model, "metadata", {}).get(key)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"the model's {key} is {text!r}, which is no positive number")
    return value


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    """Name what people most often have in a file called a checkpoint; ``start`` is its first 9 bytes."""
    if start[8:] == b"{":  # safetensors: a length of 8 bytes, then JSON
        return
    if not start:
        raise UserError(f"{path}: is empty")
    # a zip is what torch.save has written since 1.6; 0x80 and a protocol number open a bare pickle
    if start.startswith(b"PK\x03\x04") or (start[0] == 0x80 and start[1:2] in (b"\2", b"\3", b"\4", b"\5")):
        raise UserError(f"{path}: is a pickle, not safetensors; gan_colorize never unpickles")
    if start.lstrip()[:1] == b"<":
        raise UserError(f"{path}: is a web page, not a model; the download went wrong")
    if len(start) < 9:
        raise UserError(f"{path}: is cut short ({len(start)} bytes); copy or download it again")
    raise UserError(f"{path}: is not a safetensors file")


def model_metadata(path_or_name: str | Path) -> dict[str, str]:
    """As :func:`read_metadata`, and a UserError when the file is no model of ours or of another version."""
    path = resolve_model(path_or_name)
    metadata = read_metadata(path)
    missing = [key for key in ("format_version", "model", "options", "bins_hash") if key not in metadata]
    if missing:
        raise UserError(f"{path}: is no gan_colorize model (its header lacks {', '.join(missing)})")
    if metadata["format_version"] != str(FORMAT_VERSION):
        raise UserError(
            f"{path}: has format version {metadata['format_version']}, this release reads "
            f"{FORMAT_VERSION}; update gan_colorize"
        )
    return metadata


def _load_tensors(path: Path, model: nn.Module) -> None:
    """Copy the file's tensors into ``model``; every name and shape must agree."""
    try:
        tensors = load_file(path)
    except Exception as error:  # SafetensorError derives from Exception
        raise UserError(f"{path}: cannot be read as safetensors: {one_line(error)[:200]}") from error
    expected = model.state_dict()
    absent, surplus = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if absent or surplus:
        what = f"lacks {absent[0]}" if absent else f"has {surplus[0]} too many"
        count = len(absent) + len(surplus)
        raise UserError(f"{path}: does not fit its network: {what} ({count} tensors differ)")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise UserError(
                f"{path}: does not fit its network: {name} is {tuple(tensor.shape)}, "
                f"needs {tuple(expected[name].shape)}"
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds NaN or infinity; this model is broken")
    # copy_ converts fp16 to the network's float32
    model.load_state_dict(tensors)
