"""How commands end: exit codes, and errors as one readable line on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fastsvm.exceptions import DivergenceError

FAILED, BAD_INPUT, DIVERGED, INTERRUPTED = 1, 2, 3, 130

#: What a library call raises for input it cannot use; anything else is a fault of the program.
INPUT_ERRORS = (ValueError, TypeError, OverflowError, OSError)


@contextmanager
def reported(debug: bool) -> Iterator[None]:
    """Turn an exception of the block into one line and an exit code; with ``debug`` the traceback comes first."""
    try:
        yield
        sys.stdout.flush()
    except typer.Exit:
        raise
    except BrokenPipeError:
        # The reader, such as head, has had enough. What Python still holds must not be flushed into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        if isinstance(error, DivergenceError):
            complain(str(error))
            raise typer.Exit(DIVERGED) from None
        if isinstance(error, INPUT_ERRORS):
            complain(describe(error))
            raise typer.Exit(BAD_INPUT) from None
        hint = "" if debug else " (--debug shows where)"
        complain(f"unexpected {type(error).__name__}: {error}{hint}")
        raise typer.Exit(FAILED) from None


def describe(error: Exception) -> str:
    """The message of an exception without the lists that may follow its first line; for the system's errors, what and where."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror
    line, _, more = (str(error) or type(error).__name__).partition("\n")
    # What introduces a list is no use without it.
    return line.rpartition(". ")[0] or line if more else line


def complain(message: str) -> None:
    """Print ``error: message`` as one line on standard error."""
    _say(("error: ", "bold red"), message)


def warn(message: str) -> None:
    """Print ``warning: message`` as one line on standard error."""
    _say(("warning: ", "bold yellow"), message)


def _say(head: tuple[str, str], message: str) -> None:
    from rich.console import Console
    from rich.text import Text

    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    # soft_wrap: the terminal may break the line, rich must not. A Text is never read as markup.
    Console(stderr=True).print(Text.assemble(head, line), soft_wrap=True)
