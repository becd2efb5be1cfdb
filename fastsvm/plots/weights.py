"""What a linear classifier looks for: each class's weights as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fastsvm.plots.arrays import as_numbers
from fastsvm.plots.style import drawing
from fastsvm.standardization import Standardization
from fastsvm.validation import check_finite, check_flag, check_integer, check_real

#: Shapes of images by number of features, where none is given: CIFAR-10, MNIST and its family, the digits.
IMAGE_SHAPES = {3072: (32, 32, 3), 784: (28, 28), 64: (8, 8)}

#: Pixels between two pictures, in parts of their longer side, and rows of text above each.
_GAP, _HEAD = 0.07, 0.16


def weight_templates(
    W: Any,
    *,
    class_names: Sequence[str] | None = None,
    image_shape: tuple[int, ...] | None = None,
    standardization: Standardization | None = None,
    columns: int | None = None,
    clip: float = 98.0,
    common_scale: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """The weights of each class as an image, in one pair of axes.

    Middle grey is a weight of 0; light speaks for the class, dark against it; with colours, each channel by itself.

    Parameters
    ----------
    W : array (n_classes, n_features)
    class_names : sequence of str, optional
        One per class; the class indices by default.
    image_shape : (height, width) or (height, width, channels), optional
        1 or 3 channels, stored as planes one after the other, as CIFAR-10 has them. By default 32 x 32 x 3 for 3,072 features,
        28 x 28 for 784 and 8 x 8 for 64.
    standardization : Standardization, optional
        What the samples passed through before ``W``: the weights drawn are then those on the raw pixels, ``W / scale``.
    columns : int >= 1, optional
        Images in a row; five by default, or all if there are fewer.
    clip : float in (0, 100], default 98.0
        Percentile of the absolute weights that is drawn white or black; larger ones are too.
    common_scale : bool, default False
        Whether one scale serves all classes, so that they can be compared, in place of one for each.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit the others.
    """
    weights = as_numbers("W", W, shape=(None, None))
    check_finite("W", weights)
    n_classes, n_features = weights.shape
    height, width, channels = _image_shape(image_shape, n_features)
    names = _names(class_names, n_classes)
    columns = min(5, n_classes) if columns is None else check_integer("columns", columns, at_least=1)
    check_real("clip", clip, above=0.0, at_most=100.0)
    if standardization is not None:
        weights = weights / as_numbers("standardization.scale", standardization.scale, shape=(n_features,))
    pictures = _pictures(weights, clip, check_flag("common_scale", common_scale))
    pictures = pictures.reshape(n_classes, channels, height, width).transpose(0, 2, 3, 1)

    rows, side = math.ceil(n_classes / columns), max(height, width)
    step_x, step_y = width + _GAP * side, height + (_GAP + _HEAD) * side
    size = 1.35 * columns * step_x / side, 1.35 * rows * step_y / side
    with drawing(ax, size=size) as ax:
        for k, (picture, name) in enumerate(zip(pictures, names, strict=True)):
            row, column = divmod(k, columns)
            left, top = column * step_x, row * step_y + _HEAD * side
            gray: dict[str, Any] = {"cmap": "gray", "vmin": 0.0, "vmax": 1.0} if channels == 1 else {}
            ax.imshow(
                picture[:, :, 0] if channels == 1 else picture,
                extent=(left, left + width, top + height, top),
                interpolation="none",
                **gray,
            )
            ax.text(left + width / 2, top - 0.03 * side, name, ha="center", va="bottom", fontsize=9)
        ax.set(xlim=(-0.02 * side, columns * step_x - _GAP * side), ylim=(rows * step_y - _GAP * side, 0))
        ax.set_aspect("equal")
        ax.set_axis_off()
    return ax


def _image_shape(given: tuple[int, ...] | None, n_features: int) -> tuple[int, int, int]:
    if given is None:
        if n_features not in IMAGE_SHAPES:
            known = ", ".join(map(str, IMAGE_SHAPES))
            raise ValueError(f"image_shape must be given for {n_features} features; it is known for {known}")
        given = IMAGE_SHAPES[n_features]
    shape = tuple(check_integer("image_shape", length, at_least=1) for length in given)
    if len(shape) not in (2, 3) or math.prod(shape) != n_features or shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, channels), of 1 or 3 channels, with {n_features} numbers "
            f"in all, one per column of W; got {tuple(given)}"
        )
    height, width, *channels = shape
    return height, width, channels[0] if channels else 1


def _names(given: Sequence[str] | None, count: int) -> list[str]:
    if given is None:
        return [str(k) for k in range(count)]
    names = [str(name) for name in given]
    if len(names) != count:
        raise ValueError(f"class_names must hold a name per class, {count}; got {len(names)}")
    return names


def _pictures(weights: np.ndarray, clip: float, common: bool) -> np.ndarray:
    """Weights in [0, 1], with 0 in the middle."""
    largest = np.percentile(np.abs(weights), clip, axis=None if common else 1, keepdims=True)
    # With few weights that are not 0, their percentile may be 0.
    largest = np.where(largest > 0, largest, np.abs(weights).max(axis=None if common else 1, keepdims=True))
    return np.clip(0.5 + 0.5 * weights / np.where(largest > 0, largest, 1.0), 0.0, 1.0)
