"""From the authors' published PyTorch files to models of this package. Only tensors are ever unpickled."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from ..color.bins import NUM_BINS, bin_centres
from ..downloads import DownloadFailed, RemoteFile, WrongFile, fetch
from ..errors import UserError
from ..models import create_model
from .checkpoint import file_hash, save_model
from .registry import PUBLISHED, Published

# Units of ab. The centres are multiples of 10: what rounding leaves is far below, another set far above.
_CENTRE_TOLERANCE = 0.1
# Of the zip archives that torch.save writes since 1.6, and of the pickles before.
_PYTORCH_STARTS = (b"PK\x03\x04", b"\x80")


def import_published(name: str, file: Path, output: Path) -> None:
    """Write the model file ``output`` from the published weights of a network at ``file``.

    Raises:
        UserError: one line for a file that is missing, a web page, cut short, a pickle with code in it, of
            another network, or not the published one.
    """
    entry = PUBLISHED[name]
    model = convert(name, _read(file, entry))
    about = {
        "licence": entry.licence,
        "training_data": entry.training_data,
        "imported_from": f"{entry.source}, {entry.file_name}",
        "imported_sha256": entry.sha256,
    }
    save_model(output, model, entry.metadata | about)


def convert(name: str, state: dict[str, Tensor]) -> nn.Module:
    """A network of this package with the weights of a state dict in the published layout.

    Raises:
        UserError: names or shapes do not fit, a value is not finite, or the CIC's bins are others than ours.
    """
    _check_layout(name, state)
    model = create_model(PUBLISHED[name].model)
    tensors = dict(state)
    if name == "cic":
        order = bin_order(tensors["model_out.weight"])
        for key in ("model8.6.weight", "model8.6.bias"):
            tensors[key] = tensors[key][order]
        del tensors["model_out.weight"]  # the network has our centres in our order there
    # Files from before PyTorch 0.4.1 lack the norms' counters, which nothing but training reads.
    model.load_state_dict(model.state_dict() | tensors)
    return model.eval()


def bin_order(weight: Tensor) -> Tensor:
    """Which published class each of our 313 bins is, (313,) int64, from the layer that decodes colours.

    weight: (2, 313, 1, 1) the published bins' centres / 110.
    """
    published = 110.0 * weight[:, :, 0, 0].T.double()
    distance, order = torch.cdist(bin_centres(torch.float64), published).min(dim=1)
    if distance.max() > _CENTRE_TOLERANCE or len(order.unique()) != NUM_BINS:
        raise UserError(
            "model_out.weight holds other colours than the 313 bins that this package decodes; "
            "what the weights predict would be misread"
        )
    return order


def cached_file(name: str) -> Path:
    """Where torch.hub keeps, or would keep, the published file."""
    return Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[name].file_name


def download(name: str, progress: bool = True) -> Path:
    """Fetch the published file into torch's cache unless it is there; its hash is checked before it is kept.

    Raises:
        UserError: offline, no connection, or what came is not the published file.
    """
    entry, path = PUBLISHED[name], cached_file(name)
    if path.is_file() and path.stat().st_size == entry.size and file_hash(path) == entry.sha256:
        return path
    try:
        return fetch(RemoteFile(entry.url, entry.sha256, entry.size), path, progress)
    except WrongFile as error:
        raise UserError(f"{error}; try again later") from error
    except DownloadFailed as error:
        raise UserError(f"{error}; fetch {entry.file_name} by other means and name it with --file") from error


def _read(path: Path, entry: Published) -> dict[str, Tensor]:
    """The state dict of the published file; anything else is told by what it is."""
    try:
        state = _tensors(path, entry)
        found = file_hash(path)
        if found != entry.sha256:
            _check_layout(entry.model, state)
            raise UserError(
                f"is not the published {entry.file_name} (its sha256 begins with {found[:8]}, the published "
                f"file's with {entry.sha256[:8]})"
            )
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    return state


def _tensors(path: Path, entry: Published) -> object:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if start[:1] == b"<":
        raise UserError(f"is a web page, not {entry.file_name}; the download went wrong")
    if not start.startswith(_PYTORCH_STARTS):
        raise UserError("is empty" if size == 0 else "is no PyTorch file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols that torch itself does not write
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"holds more than tensors, and code in a file is never run; this is not {entry.file_name}"
        ) from error
    except Exception as error:  # a broken file makes torch raise nearly anything
        if size < entry.size:
            raise UserError(
                f"is cut short ({size:,} of {entry.size:,} bytes); copy or download it again"
            ) from error
        raise UserError("is damaged: its tensors cannot be read; copy or download it again") from error


def _check_layout(name: str, state: object) -> None:
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError("holds something else than a network's weights by name")
    differences = {other: _difference(PUBLISHED[other].model, state) for other in PUBLISHED}
    if differences[name] is None:
        for key, value in state.items():
            if not value.isfinite().all():
                raise UserError(f"{key} holds NaN or infinity; these weights are broken")
        return
    fitting = [other for other, difference in differences.items() if difference is None]
    what = f"holds the weights of {fitting[0]}" if fitting else f"does not fit {name}"
    raise UserError(f"{what}: {differences[name]}")


def _difference(model: str, state: dict[str, Tensor]) -> str | None:
    """The first thing in which a state dict differs from what the network needs."""
    with torch.device("meta"):
        needed = create_model(model).state_dict()
    absent = [key for key in needed if key not in state and not key.endswith("num_batches_tracked")]
    surplus = [key for key in state if key not in needed]
    if absent or surplus:
        return f"it lacks {absent[0]}" if absent else f"it has {surplus[0]} too many"
    for key, value in state.items():
        if value.shape != needed[key].shape:
            return f"{key} is {tuple(value.shape)} instead of {tuple(needed[key].shape)}"
    return None
