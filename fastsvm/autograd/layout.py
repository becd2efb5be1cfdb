"""Where the nodes of a drawing go: columns from the inputs on the left to the output on the right, no two things in one place.

The method of layers: a node's column is the longest way to it; a wire that passes a column gets a lane in it; the order within
the columns is turned until few wires cross; heights are pulled towards those of the neighbours, in that order.

Source: K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

#: Height of a lane, where a node's is 1.
LANE = 0.4

#: Rounds of turning the order and of pulling. Small graphs settle in a few.
ROUNDS = 8

#: A node's number, or (node, column) for the lane of that node's wires in that column.
Key = int | tuple[int, int]


class Layout(NamedTuple):
    """Columns, each from top to bottom; and the height of each key's middle, from the top, in units of a node's height."""

    columns: list[list[Key]]
    height: dict[Key, float]


def arrange(inputs: dict[int, Sequence[int]], output: int) -> Layout:
    """Place nodes, given with their inputs, each after its inputs."""
    column = _columns(inputs)
    nodes = _reading_order(inputs, output)
    order: dict[Key, int] = {key: k for k, key in enumerate(nodes)}
    columns: list[list[Key]] = [[] for _ in range(column[output] + 1)]
    left: dict[Key, list[Key]] = {key: [] for key in nodes}
    for key in nodes:
        columns[column[key]].append(key)
        for x in inputs[key]:
            # All wires of a node share its lanes.
            source: Key = x
            for k in range(column[x] + 1, column[key]):
                lane = (x, k)
                if lane not in left:
                    left[lane] = [source]
                    order[lane] = order[x]
                    columns[k].append(lane)
                source = lane
            left[key].append(source)
    right: dict[Key, list[Key]] = {key: [] for key in left}
    for user, neighbours in left.items():
        for neighbour in neighbours:
            right[neighbour].append(user)
    for keys in columns:
        keys.sort(key=order.__getitem__)
    columns = _untangled(columns, left, right)
    return Layout(columns, _heights(columns, left, right))


def _columns(inputs: dict[int, Sequence[int]]) -> dict[int, int]:
    column: dict[int, int] = {}
    for key, xs in inputs.items():
        column[key] = 1 + max((column[x] for x in xs), default=-1)
    users: dict[int, list[int]] = {}
    for key, xs in inputs.items():
        for x in xs:
            users.setdefault(x, []).append(column[key])
    # What has no inputs stands right before the first that uses it.
    return {key: min(users[key]) - 1 if not xs and key in users else column[key] for key, xs in inputs.items()}


def _reading_order(inputs: dict[int, Sequence[int]], output: int) -> list[int]:
    """Depth first from the output, first inputs first: the order in which a tree has no crossings."""
    order: dict[int, None] = {}
    waiting = [output]
    while waiting:
        key = waiting.pop()
        if key not in order:
            order[key] = None
            waiting.extend(reversed(inputs[key]))
    return list(order)


def _crossings(columns: list[list[Key]], left: dict[Key, list[Key]]) -> int:
    total = 0
    for before, after in pairwise(columns):
        place = {key: k for k, key in enumerate(before)}
        ends = np.array([place[x] for key in after for x in left[key]])
        total += int(np.triu(ends[:, None] > ends[None, :], 1).sum())
    return total


def _untangled(columns: list[list[Key]], left: dict[Key, list[Key]], right: dict[Key, list[Key]]) -> list[list[Key]]:
    """Sort each column by the mean place of its neighbours, to and fro; keep the best of all orders met."""
    best, fewest = columns, _crossings(columns, left)
    for turn in range(ROUNDS):
        if fewest == 0:
            break
        columns = [list(keys) for keys in columns]
        forward = turn % 2 == 0
        neighbours = left if forward else right
        for k in range(1, len(columns)) if forward else range(len(columns) - 2, -1, -1):
            place = {key: i for i, key in enumerate(columns[k - 1 if forward else k + 1])}
            own = {key: i for i, key in enumerate(columns[k])}
            wanted = {key: _mean([place[x] for x in neighbours[key]], own[key]) for key in columns[k]}
            columns[k].sort(key=wanted.__getitem__)
        crossings = _crossings(columns, left)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _heights(columns: list[list[Key]], left: dict[Key, list[Key]], right: dict[Key, list[Key]]) -> dict[Key, float]:
    """Pull each towards the mean height of its neighbours, as near as the order and the room it needs allow."""
    from scipy.optimize import isotonic_regression  # heavy, and needed here only

    height: dict[Key, float] = {}
    offsets = []
    for keys in columns:
        room = np.array([LANE if isinstance(key, tuple) else 1.0 for key in keys])
        offsets.append(np.cumsum(room) - room / 2)
        height.update(zip(keys, offsets[-1].tolist(), strict=True))
    for turn in range(ROUNDS):
        for k in range(len(columns)) if turn % 2 == 0 else reversed(range(len(columns))):
            keys, neighbours = columns[k], left if turn % 2 == 0 else right
            wanted = [_mean([height[x] for x in neighbours[key]], height[key]) for key in keys]
            # Heights less the room above them must not fall from one to the next: the nearest such numbers are a regression.
            moved = isotonic_regression(np.array(wanted) - offsets[k]).x + offsets[k]
            height.update(zip(keys, moved.tolist(), strict=True))
    top = min(height[keys[0]] - offset[0] for keys, offset in zip(columns, offsets, strict=True))
    return {key: value - top for key, value in height.items()}
