"""Names of losses, those of the losses that a parameter makes included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastsvm.losses import LOSSES, Loss, WestonWatkins, as_loss
from fastsvm.validation import check_choice, plain_name

#: Every name that ``loss=`` takes.
NAMES: dict[str, Callable[[], Loss]] = {**LOSSES, "squared_weston_watkins": lambda: WestonWatkins(squared=True)}


def as_named_loss(loss: Any) -> Loss:
    """The loss so named, or ``loss`` itself where it is a loss object."""
    if isinstance(loss, str):
        return NAMES[check_choice("loss", plain_name(loss), NAMES)]()
    return as_loss(loss)
