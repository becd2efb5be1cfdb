"""Options that several commands share, and the objects that options stand for. Defaults are those of the library."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from typing import Annotated, Any

import typer

from fastsvm.losses import LOSSES, Loss
from fastsvm.optimizers import FULL_BATCH, OPTIMIZERS, Optimizer
from fastsvm.schedules import SCHEDULES, Constant
from fastsvm.standardization import AUTO, KINDS
from fastsvm.training import DEFAULT_OPTIMIZER, train
from fastsvm.validation import check_choice, plain_name

#: What `fastsvm.train` does where an option is left out.
DEFAULTS: dict[str, Any] = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}

OBJECTIVE, OPTIMIZATION, DATA, RUN, OUTPUT = "Objective", "Optimization", "Data", "Run", "Output"


def listed(names: Any) -> str:
    """Names as one types them, for help texts."""
    *rest, last = (name.replace("_", "-") for name in names)
    return f"{', '.join(rest)} or {last}" if rest else last


def name_of(table: dict[str, Any], kind: type) -> str:
    """The name of a class in one of the library's tables, as one types it."""
    return next(name for name, cls in table.items() if cls is kind).replace("_", "-")


def option(spec: str, help: str, panel: str = RUN, default: str = "") -> Any:
    """What typer is to know of an option, whose names and kind of value are written as in ``"--output -o FILE"``.

    ``default`` says what happens without it, where the value ``None`` would not tell.
    """
    names = [word for word in spec.split() if word.startswith("-")]
    metavar = "".join(word for word in spec.split() if not word.startswith("-"))
    if default:
        help = rf"{help} [dim]\[default: {default}][/dim]"
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=not default, metavar=metavar)


_RATES = DEFAULT_OPTIMIZER.learning_rate
assert isinstance(_RATES, Constant)  # a schedule of the library's, which the command line can name
DEFAULT_NAME, DEFAULT_SCHEDULE = name_of(OPTIMIZERS, type(DEFAULT_OPTIMIZER)), name_of(SCHEDULES, type(_RATES))
DEFAULT_WARMUP = _RATES.warmup
DEFAULT_RATE = f"{_RATES.learning_rate:g} for {DEFAULT_NAME}, else the optimizer's own"

DEFAULT_LOSS = name_of(LOSSES, type(DEFAULTS["loss"]))
LossName = Annotated[str, option("--loss NAME", f"{listed(LOSSES)}.", OBJECTIVE)]
Delta = Annotated[float | None, option("--delta X", "Margin of the loss.", OBJECTIVE, default=f"{DEFAULTS['loss'].delta:g}")]
Squared = Annotated[bool, option("--squared", "Square the violations of the margin (weston-watkins).", OBJECTIVE)]
Alpha = Annotated[float, option("--alpha X", "Strength of the penalty alpha/2 |W|^2.", OBJECTIVE)]

Standardize = Annotated[str, option("--standardize KIND", f"Of each feature: {listed([AUTO, *KINDS])}.", DATA)]
Seed = Annotated[int, option("--seed N", "Source of all that is random.")]
Backend = Annotated[
    str | None, option("--backend NAME", "native, numba or reference.", default="FASTSVM_BACKEND, else the fastest")
]
Threads = Annotated[
    int | None,
    option("--threads N", "Threads to use. They never change a result.", default="FASTSVM_NUM_THREADS, else all cores"),
]
Json = Annotated[bool, option("--json", "Print one JSON object on standard output and nothing else.", OUTPUT)]
Quiet = Annotated[bool, option("--quiet -q", "Print errors only.", OUTPUT)]
Debug = Annotated[bool, option("--debug", "Show the traceback of an error.", OUTPUT)]


def make_loss(name: str, delta: float | None, squared: bool) -> Loss:
    """The loss that ``--loss``, ``--delta`` and ``--squared`` describe."""
    cls = LOSSES[check_choice("loss", plain_name(name), LOSSES)]
    given = {"delta": delta, "squared": squared or None}
    given = {key: value for key, value in given.items() if value is not None}
    _check_fields(cls, given, LOSSES, "loss")
    return cls(**given)


def make_optimizer(name: str, learning_rate: float | None, momentum: float | None, schedule: str, warmup: int) -> Optimizer:
    """The optimizer these options describe. Without a learning rate it is the optimizer's own."""
    rule = (OPTIMIZERS | FULL_BATCH)[check_choice("optimizer", plain_name(name), OPTIMIZERS | FULL_BATCH)]
    if rule.rule in FULL_BATCH:
        others: dict[str, Any] = {"--learning-rate": learning_rate, "--momentum": momentum, "--warmup": warmup or None}
        others["--schedule"] = None if schedule == DEFAULT_SCHEDULE else schedule
        for key, value in others.items():
            if value is not None:
                raise ValueError(f"{key} does not go with {listed([rule.rule])}, which finds its steps itself; got {value}")
        return rule()
    course = SCHEDULES[check_choice("schedule", plain_name(schedule), SCHEDULES)]
    given = {} if momentum is None else {"momentum": momentum}
    _check_fields(rule, given, OPTIMIZERS, "optimizer")
    optimizer = DEFAULT_OPTIMIZER if rule is type(DEFAULT_OPTIMIZER) else rule()
    own = optimizer.learning_rate
    if learning_rate is None:
        learning_rate = own.learning_rate if isinstance(own, Constant) else float(own)  # type: ignore[arg-type]
    rates = replace(own, learning_rate=learning_rate, warmup=warmup) if type(own) is course else course(learning_rate, warmup)
    return replace(optimizer, learning_rate=rates, **given)


def as_batch_size(text: str | None, optimizer: str) -> int | str:
    """What ``--batch-size`` says: a number, or a word that the library checks. Some optimizers need all samples."""
    full = plain_name(optimizer) in FULL_BATCH
    if text is None:
        return "full" if full else DEFAULTS["batch_size"]
    if full and text.strip().lower() != "full":
        raise ValueError(f"--optimizer {optimizer} needs --batch-size full, its default; got --batch-size {text}")
    try:
        return int(text)
    except ValueError:
        return text.strip().lower()


def _check_fields(cls: type, given: dict[str, Any], table: dict[str, Any], what: str) -> None:
    """Raise where an option is given for an object that has no such hyperparameter."""
    for key in given:
        if key not in {f.name for f in fields(cls)}:
            takers = [name for name, other in table.items() if key in {f.name for f in fields(other)}]
            raise ValueError(f"--{key} goes with {what} {listed(takers)}; got {name_of(table, cls)}")
