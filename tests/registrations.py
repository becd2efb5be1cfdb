"""Losses and update rules that a test module registers: known while its own tests run, and to no other module's."""

from __future__ import annotations

from fastsvm import extensions
from fastsvm.backends import UPDATES
from fastsvm.losses import LOSSES
from fastsvm.optimizers import OPTIMIZERS

#: With the classes by their names, which two modules may give alike: pickle looks there.
TABLES: tuple[dict, ...] = (LOSSES, OPTIMIZERS, UPDATES, extensions._made)


class Registrations:
    """``with`` it, everything registered so far inside such a block is known; after it, nothing."""

    def __init__(self) -> None:
        self.own: tuple[dict, ...] = tuple({} for _ in TABLES)

    def __enter__(self) -> None:
        self.others = tuple(set(table) for table in TABLES)
        for table, own in zip(TABLES, self.own, strict=True):
            table.update(own)

    def __exit__(self, *error: object) -> None:
        for table, own, others in zip(TABLES, self.own, self.others, strict=True):
            own.update({name: table.pop(name) for name in set(table) - others})
