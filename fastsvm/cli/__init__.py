"""The command ``fastsvm`` and its subcommands; :mod:`fastsvm.cli.app` lists them.

Each command reads its options, calls the library, and prints what came out; checks and defaults are the library's.
"""

from fastsvm.cli.app import app, main

__all__ = ["app", "main"]
