"""``fastsvm tune``: a search for the learning rate and alpha."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastsvm.cli.data import DataPath, Dense, as_dtype, load_data
from fastsvm.cli.errors import DIVERGED, INTERRUPTED, complain, reported, warn
from fastsvm.cli.options import (
    DATA,
    DEFAULT_LOSS,
    DEFAULT_NAME,
    DEFAULT_SCHEDULE,
    DEFAULT_WARMUP,
    DEFAULTS,
    OBJECTIVE,
    OPTIMIZATION,
    OUTPUT,
    Backend,
    Debug,
    Delta,
    Json,
    LossName,
    Quiet,
    Seed,
    Squared,
    Standardize,
    Threads,
    as_batch_size,
    make_loss,
    make_optimizer,
    option,
)
from fastsvm.cli.output import print_json
from fastsvm.cli.progress import EpochProgress
from fastsvm.cli.train import (
    ActivationName,
    BatchSize,
    Dtype,
    Epochs,
    Friction,
    Hidden,
    OptimizerName,
    Schedule,
    Test,
    Warmup,
    make_score_function,
)
from fastsvm.cli.trials import best_of, command_of, show_tuning, summary_of
from fastsvm.files import check_writable

if TYPE_CHECKING:
    from fastsvm.datasets import Dataset
    from fastsvm.tuning import Trial, Tuning

PICTURES = (".svg", ".png", ".pdf")

SPACE = "LOW:HIGH (random), LOW:HIGH:COUNT, or values A,B,C"
Method = Annotated[str, option("--method NAME", "random, or grid: every pair of values.", OPTIMIZATION)]
Trials = Annotated[
    int | None, option("--trials N", "How many pairs random search draws.", OPTIMIZATION, default="20; a grid has its own")
]
LearningRates = Annotated[
    str | None,
    option("--learning-rate SPACE", f"Learning rates to search: {SPACE}.", OPTIMIZATION, default="1e-05:1, grid: 6 values"),
]
Alphas = Annotated[
    str | None,
    option("--alpha SPACE", "Strengths of the penalty to search, likewise.", OBJECTIVE, default="1e-05:1, grid: 6 values"),
]
Folds = Annotated[int | None, option("--folds K", "Validate on each of K folds in turn.", DATA, default="one part is held out")]
Holdout = Annotated[
    float | None,
    option("--holdout FRACTION", "Share of the training part to validate on.", DATA, default="0.2 without --folds"),
]
Jobs = Annotated[int | None, option("--jobs N", "Trials made at a time; they share the threads.", default="one per thread")]
Output = Annotated[Path | None, option("--output -o FILE", "Where to keep the trials, as lines of JSON.", OUTPUT)]
Resume = Annotated[bool, option("--resume", "Go on with the search in the --output file.", OUTPUT)]
Plot = Annotated[Path | None, option("--plot FILE", "Where to draw the trials: .svg, .png or .pdf.", OUTPUT)]


def tune(
    data: DataPath = "digits",
    test: Test = 0.2,
    folds: Folds = None,
    holdout: Holdout = None,
    standardize: Standardize = DEFAULTS["standardize"],
    dense: Dense = False,
    loss: LossName = DEFAULT_LOSS,
    delta: Delta = None,
    squared: Squared = False,
    alpha: Alphas = None,
    hidden: Hidden = None,
    activation: ActivationName = None,
    method: Method = "random",
    trials: Trials = None,
    learning_rate: LearningRates = None,
    optimizer: OptimizerName = DEFAULT_NAME,
    momentum: Friction = None,
    schedule: Schedule = DEFAULT_SCHEDULE,
    warmup: Warmup = DEFAULT_WARMUP,
    batch_size: BatchSize = None,
    epochs: Epochs = DEFAULTS["epochs"],
    seed: Seed = DEFAULTS["seed"],
    dtype: Dtype = None,
    backend: Backend = None,
    threads: Threads = None,
    jobs: Jobs = None,
    output: Output = None,
    resume: Resume = False,
    plot: Plot = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Search for the learning rate and alpha that do best on samples not trained on.

    Shows the trials, the best first, and the command that trains with it.
    The test part, of the data or taken by --test, is left alone.
    Ctrl-C ends the search after the epochs in progress and keeps the trials made.

    [bold]fastsvm tune --trials 40 --folds 5[/bold]
    [bold]fastsvm tune data.npz --learning-rate 1e-4:1e-2 --alpha 0,1e-3 -o trials.jsonl[/bold]
    [bold]fastsvm tune data.npz --method grid --learning-rate 1e-4:1:5 --alpha 1e-4:1:5[/bold]
    """
    with reported(debug):
        _check_files(output, resume, plot)
        method = method.strip().lower()
        if trials is not None and method == "grid":
            raise ValueError(f"--trials goes with --method random, a grid has as many as it has pairs; got {trials}")
        search: dict[str, Any] = {
            "learning_rates": parse_space("--learning-rate", learning_rate, method),
            "alphas": parse_space("--alpha", alpha, method),
            "method": method, "n_trials": trials, "folds": folds, "holdout": holdout, "path": output,
            "score_function": make_score_function(hidden, activation), "loss": make_loss(loss, delta, squared),
            "optimizer": make_optimizer(optimizer, None, momentum, schedule, warmup),
            "batch_size": as_batch_size(batch_size, optimizer), "epochs": epochs, "standardize": standardize.strip().lower(),
            "dtype": dtype, "seed": seed, "n_jobs": jobs, "backend": backend, "n_threads": threads,
        }  # fmt: skip
        _check_trials(trials, search)
        show = EpochProgress(visible=not (as_json or quiet))
        with show.reading(data):
            dataset = _prepare(data, test=test, seed=seed, dtype=dtype, dense=dense)
        tuning = _search(dataset, search, show)
        given = {
            "test": test, "standardize": standardize, "dense": dense, "loss": loss, "delta": delta,
            "squared": squared, "hidden": hidden, "activation": activation, "optimizer": optimizer, "momentum": momentum,
            "schedule": schedule, "warmup": warmup, "batch_size": batch_size, "seed": seed, "dtype": dtype, "backend": backend,
        }  # fmt: skip
        best = best_of(tuning)
        command = None if best is None else command_of(data, best, tuning.settings["epochs"], given)
        if plot is not None and tuning.trials:
            from fastsvm import plots

            plots.save(plots.tuning(tuning), plot)
        if as_json:
            print_json(summary_of(dataset, tuning, best, command, output))
        elif not quiet:
            show_tuning(dataset, tuning, best, command)
        if best is not None and not tuning.beats_guessing and not quiet:
            right = f"right in {tuning.guess:.4f} of the cases"
            warn(f"no trial does better than guessing the most frequent class, {right}: there is no good command to show")
        if tuning.stop_reason == "interrupted":
            raise typer.Exit(INTERRUPTED)
        if best is None:
            complain(f"all {len(tuning.trials)} trials diverged; search lower learning rates")
            raise typer.Exit(DIVERGED)


def parse_space(name: str, text: str | None, method: str) -> tuple[float, float] | list[float] | None:
    """What ``tune`` is to search: a range as a tuple, values as a list; ``None`` is left to it."""
    if text is None:
        return None
    wanted = f"{name} must be {SPACE}"
    numbers, ranged = text.split(":" if ":" in text else ","), ":" in text
    try:
        ends = [float(number) for number in numbers[:2]] if ranged else [float(number) for number in numbers]
        steps = int(numbers[2]) if ranged and len(numbers) == 3 else None
    except ValueError:
        raise ValueError(f"{wanted}; got {text!r}") from None
    if not ranged:
        return ends
    broken = ""
    if len(numbers) not in (2, 3):
        broken = "with one or two colons"
    elif not all(0 < end < float("inf") for end in ends):
        broken = "with LOW > 0 and HIGH finite, for ranges are searched in factors (0 may be one of values A,B,C)"
    elif not ends[0] < ends[1]:
        broken = "with LOW < HIGH"
    elif steps is not None and steps < 2:
        broken = "with COUNT >= 2"
    if broken:
        raise ValueError(f"{wanted}, {broken}; got {text!r}")
    if steps is not None:
        from fastsvm.tuning.candidates import evenly

        return list(evenly(ends[0], ends[1], steps).values)
    if method == "grid":
        raise ValueError(f"{name} must be LOW:HIGH:COUNT or values A,B,C for --method grid; got {text!r}")
    return ends[0], ends[1]


def _check_trials(trials: int | None, search: dict[str, Any]) -> None:
    """Two lists make so many pairs and no more; who wrote a comma for a colon learns it here."""
    rates, alphas = search["learning_rates"], search["alphas"]
    if trials is not None and isinstance(rates, list) and isinstance(alphas, list) and trials > len(rates) * len(alphas):
        pairs = f"{len(rates) * len(alphas)}, the pairs that lists of {len(rates)} and {len(alphas)} values make"
        raise ValueError(f"--trials must be at most {pairs}; got {trials} (a range is written LOW:HIGH, with a colon)")


def _check_files(output: Path | None, resume: bool, plot: Path | None) -> None:
    """Find out before the search whether its files can be written."""
    if output is not None:
        from fastsvm.tuning.journal import exists

        check_writable("--output", output)
        if exists(output) and not resume:
            raise ValueError(f"--output must be a new file, or --resume be given to go on with its search; got {str(output)!r}")
    elif resume:
        raise ValueError("--resume needs --output, the file of the search to go on with")
    if plot is not None:
        try:
            from fastsvm import plots  # noqa: F401
        except ImportError as error:
            raise ValueError(f"--plot cannot be used: {error}") from None
        if plot.suffix.lower() not in PICTURES:
            raise ValueError(f"--plot must end in {', '.join(PICTURES)}; got {str(plot)!r}")
        check_writable("--plot", plot)


def _prepare(data: str, *, test: float, seed: int, dtype: str | None, dense: bool) -> Dataset:
    """The data with a test part, the same that ``fastsvm train`` would test on, in the precision asked for."""
    from fastsvm.training.arguments import check_dtype, check_seed
    from fastsvm.validation import check_real

    check_seed(seed)
    check_real("test", test, at_least=0.0, below=1.0)
    if dtype is not None:
        check_dtype(dtype)
    dataset = load_data(data, dense=dense)
    if test > 0:
        dataset = dataset.split(test, seed)
    X_test = None if dataset.X_test is None else as_dtype(dataset.X_test, dtype)
    return replace(dataset, X=as_dtype(dataset.X, dtype), X_test=X_test)


def _search(dataset: Dataset, search: dict[str, Any], show: EpochProgress) -> Tuning:
    """Run the search behind a bar, where there is a terminal to show it on."""
    from fastsvm.tuning import tune as run

    settings = {**search, "n_classes": dataset.n_classes}
    if not show.live:
        return run(dataset.X, dataset.y, **settings)
    from rich.progress import BarColumn, Progress, TextColumn

    columns = [TextColumn("trial {task.completed}/{task.total}"), BarColumn(), TextColumn("{task.fields[best]}")]
    with Progress(*columns, console=show.console) as bar:
        task = bar.add_task("", total=None, best="")

        def advance(trial: Trial, tuning: Tuning) -> None:
            best = best_of(tuning)
            text = "" if best is None else f"best {best.score:.4f}: learning rate {best.learning_rate:g}, alpha {best.alpha:g}"
            bar.update(task, completed=len(tuning.trials), total=tuning.n_trials, best=text)

        tuning = run(dataset.X, dataset.y, callbacks=[advance], **settings)
    show.console.print()
    return tuning
