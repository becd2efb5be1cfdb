"""Where the report is written: whole or not at all, and over nothing of somebody else's. Wrong use is one line."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from cli_runs import run
from fastsvm.tour import folder as places
from fastsvm.tour import tour
from fastsvm.tour.context import QUICK
from fastsvm.training import interruptible


class Stop(Exception):
    """Raised on the way."""


def test_failure_and_ctrl_c_leave_nothing(tmp_path: Path) -> None:
    def fail(place: int, chapters: int, key: str) -> None:
        if place == 2:
            raise Stop

    def press(place: int, chapters: int, key: str) -> None:
        if place == 2:
            # As a training does that lets its epoch end.
            with interruptible() as interrupted:
                os.kill(os.getpid(), signal.SIGINT)
                assert interrupted()

    with pytest.raises(Stop):
        tour("digits", tmp_path / "report", plan=QUICK, progress=fail)
    with pytest.raises(KeyboardInterrupt):
        tour("digits", tmp_path / "report", plan=QUICK, progress=press)
    assert list(tmp_path.iterdir()) == []


def test_only_its_own_folder_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report"
    files = {places.REPORT: "page", places.SUMMARY: json.dumps({"made_by": places.MAKER})}
    places.write_folder(places.check_folder(out, False), files)
    places.write_folder(places.check_folder(out, False), files | {places.REPORT: "new page"})
    assert (out / places.REPORT).read_text() == "new page"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="empty, new or the folder of an earlier tour"):
        places.check_folder(out, False)
    places.write_folder(places.check_folder(out, True), files)
    assert {path.name for path in out.iterdir()} == {"notes.txt", places.REPORT, places.SUMMARY}
    assert (out / "notes.txt").read_text() == "mine"

    def full(*names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        places.write_folder(tmp_path / "other", files)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--lang fr", "lang must be one of 'en', 'ko'; got 'fr'"),
        ("none --out new", "there is no 'none'"),
        ("--out taken", "out must be empty, new or the folder of an earlier tour"),
        ("--out taken/file", "out must be a folder; this is a file"),
        ("--out missing/new", "out must lie in an existing folder"),
        ("--seed -1 --out new", "seed must be an integer >= 0"),
        ("--backend gpu --out new", "backend must be one of"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    given = shlex.split(arguments)
    result = run("tour", *given, *([] if "--out" in given else ["--out", "new"]))
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
