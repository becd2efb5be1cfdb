"""``fastsvm info``."""

from __future__ import annotations

from fastsvm.cli.errors import reported
from fastsvm.cli.options import Debug, Json
from fastsvm.cli.output import print_json, print_pairs


def info(as_json: Json = False, debug: Debug = False) -> None:
    """Show versions, the backend in use, its SIMD level, OpenMP runtime and threads."""
    with reported(debug):
        from fastsvm.config import config, rows

        found = config()
        if as_json:
            print_json(found)
        else:
            print_pairs(rows(found))
