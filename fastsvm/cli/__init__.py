"""The command ``fastsvm``: train, evaluate, predict, gradcheck, info.

Each command reads its options, calls the library, and prints what came out; checks and defaults are the library's.
"""

from fastsvm.cli.app import app, main

__all__ = ["app", "main"]
