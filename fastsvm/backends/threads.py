"""How many threads a call may use."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from fastsvm import _native
from fastsvm.validation import check_integer

#: Looked at in this order when ``n_threads`` is ``None``.
ENVIRONMENT = ("FASTSVM_NUM_THREADS", "OMP_NUM_THREADS")

_forked = False

#: Seconds for which the count of cores is believed: to read the control group's files takes longer than small updates.
BELIEVED = 1.0
_counted: tuple[float, int] = (-math.inf, 1)


def _mark_child() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    # A thread pool does not survive fork: the first parallel call of the child would wait for threads that are not there.
    os.register_at_fork(after_in_child=_mark_child)


def forked() -> bool:
    """Whether this process was forked after fastsvm was imported; it then runs serially."""
    return _forked


def available_cores() -> int:
    """Cores this process may use: the affinity mask, capped by the control group's CPU quota (rounded up)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores))


def _recent_cores() -> int:
    """`available_cores`, of this moment or of one at most `BELIEVED` ago."""
    global _counted
    now = time.monotonic()
    when, cores = _counted
    if now - when > BELIEVED:
        cores = available_cores()
        _counted = now, cores
    return cores


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    try:
        limit, period = (root / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        try:
            limit = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        quota = float(limit) / float(period)
    except (ValueError, ZeroDivisionError):
        return None
    return math.ceil(quota) if quota > 0 else None


def resolve_threads(n_threads: int | None) -> int:
    """Return the number of threads a call with ``n_threads`` uses.

    Parameters
    ----------
    n_threads : int or None
        ``None``: ``FASTSVM_NUM_THREADS``, then ``OMP_NUM_THREADS``, then the cores available to the process. Negative
        numbers count back from all cores as in joblib: −1 is all of them, −2 all but one. In a process forked after
        fastsvm was imported the answer is 1.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer, or is 0.
    """
    source = "n_threads"
    value: int | None = n_threads
    if value is None:
        for source in ENVIRONMENT:
            text = _native.environment(source)
            if text and (text := text.split(",")[0].strip()):
                try:
                    value = int(text)
                except ValueError:
                    raise ValueError(f"{source} must be an integer; got {text!r}") from None
                break
    if value is None:
        value = _recent_cores()
    if type(value) is not int:
        value = check_integer(source, value)
    if value == 0:
        raise ValueError(f"{source} must not be 0: give a positive count, or -1 for all cores")
    if value < 0:
        value = max(1, _recent_cores() + 1 + value)
    return 1 if _forked else value
