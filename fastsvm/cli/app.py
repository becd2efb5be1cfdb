"""The commands, put together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fastsvm import __version__
from fastsvm.cli.errors import FAILED, complain
from fastsvm.cli.evaluate import evaluate
from fastsvm.cli.gradcheck import gradcheck
from fastsvm.cli.info import info
from fastsvm.cli.landscape import landscape
from fastsvm.cli.predict import predict
from fastsvm.cli.search import search
from fastsvm.cli.sweep import sweep
from fastsvm.cli.tour import tour
from fastsvm.cli.train import train
from fastsvm.cli.tune import tune

EPILOG = (
    "Exit codes: 0 done; 1 a check failed or something unexpected happened; 2 bad input, said in one line; "
    "3 training diverged; 130 interrupted."
)


class Commands(TyperGroup):
    """Reports wrong usage like any other error: one line on standard error."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run a command line; leaves with its exit code unless ``standalone_mode`` is off."""
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
        except typer.Abort:
            complain("aborted")
            code = FAILED
        except Exception as error:
            # Usage errors of click, which typer may bring along under another name; nothing else gets here.
            if not standalone_mode or not hasattr(error, "format_message"):
                raise
            context = getattr(error, "ctx", None)
            complain(f"{error.format_message()}" + (f" (see {context.command_path} --help)" if context else ""))
            code = getattr(error, "exit_code", FAILED)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fastsvm {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Linear multiclass SVMs, trained at the speed of the machine's memory.

    [bold]fastsvm train[/bold] trains on the digits that come with scikit-learn;
    [bold]fastsvm train PATH -o model.safetensors[/bold] on your data, and keeps the model.
    """
    if context.invoked_subcommand is None:
        print(context.get_help(), end="")


for command in (train, search, tune, sweep, landscape, evaluate, predict, gradcheck, tour, info):
    app.command(epilog=EPILOG)(command)


def main() -> None:
    """Entry point of the command ``fastsvm``."""
    if hasattr(sys.stdout, "reconfigure"):  # names of classes and files may be beyond the terminal's encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    app(prog_name="fastsvm")
