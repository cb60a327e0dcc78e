"""Networks by name. A new one is a file and an entry here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from torch import nn

from ..errors import UserError
from .cic import CIC, CICOptions
from .contract import Conditions, Contract, Prediction
from .dahl import Dahl, DahlOptions
from .deep_colorization import DeepColorization, DeepColorizationOptions
from .multiscale import MultiScale, MultiScaleOptions
from .palette_colorizer import (
    PaletteColorizer,
    PaletteColorizerOptions,
    PalettePatch,
    PalettePatchOptions,
)
from .patchgan import PatchGAN, PatchGANOptions
from .rbdn import RBDN, RBDNOptions
from .text2palette import PaletteCritic, PaletteCriticOptions, Text2Palette, Text2PaletteOptions
from .unet import UNet, UNetOptions
from .user_guided import UserGuided, UserGuidedOptions
from .wallner import Wallner, WallnerOptions

__all__ = [
    "DISCRIMINATORS",
    "MODELS",
    "Conditions",
    "Contract",
    "Prediction",
    "create_discriminator",
    "create_model",
]

# name -> (class, frozen dataclass of its options)
MODELS: dict[str, tuple[type[nn.Module], type]] = {
    "unet": (UNet, UNetOptions),
    "cic": (CIC, CICOptions),
    "user_guided": (UserGuided, UserGuidedOptions),
    "text2palette": (Text2Palette, Text2PaletteOptions),
    "palette_colorizer": (PaletteColorizer, PaletteColorizerOptions),
    "wallner": (Wallner, WallnerOptions),
    "dahl": (Dahl, DahlOptions),
    "rbdn": (RBDN, RBDNOptions),
    "deep_colorization": (DeepColorization, DeepColorizationOptions),
}
DISCRIMINATORS: dict[str, tuple[type[nn.Module], type]] = {
    "patchgan": (PatchGAN, PatchGANOptions),
    "multiscale": (MultiScale, MultiScaleOptions),
    "palette_critic": (PaletteCritic, PaletteCriticOptions),
    "palette_patch": (PalettePatch, PalettePatchOptions),
}


def create_model(name: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Build a generator. It carries ``.contract``, ``.name`` and ``.options`` (a plain dict).

    Raises:
        UserError: unknown name or option; the message lists what there is.
    """
    return _create(MODELS, "model", name, options or {})


def create_discriminator(name: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Build a discriminator; errors as in :func:`create_model`."""
    return _create(DISCRIMINATORS, "discriminator", name, options or {})


def _create(registry: dict, kind: str, name: str, options: Mapping[str, Any]) -> nn.Module:
    if name not in registry:
        near = difflib.get_close_matches(name, registry, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"{kind}.name: no {kind} {name!r}; there are {', '.join(registry)}{hint}")
    cls, schema = registry[name]
    known = {field.name: field for field in fields(schema)}
    unknown = [key for key in options if key not in known]
    if unknown:
        raise UserError(f"{kind}.options.{unknown[0]}: unknown; {name} knows {', '.join(known)}")
    values = {
        key: _checked(f"{kind}.options.{key}", value, known[key].default) for key, value in options.items()
    }
    chosen = schema(**values)
    model = cls(chosen)
    model.name, model.options = name, asdict(chosen)
    return model


def _checked(key: str, value: Any, default: Any) -> Any:
    """``value`` in the type of the option's default; JSON and YAML know lists, the dataclass wants tuples."""
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        if all(isinstance(item, int) for item in value) and len(value) == len(default):
            return tuple(value)
        raise UserError(f"{key}: {list(value)} must be {len(default)} whole numbers, such as {list(default)}")
    if type(value) is not type(default):
        raise UserError(f"{key}: {value!r} must be of type {type(default).__name__}, such as {default!r}")
    return value
