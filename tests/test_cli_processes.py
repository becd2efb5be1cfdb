"""The command as a process: what goes to which stream, Ctrl-C, pipes, terminals, imports."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys

import pytest

import fastsvm
from cli_runs import QUICK, process, succeed
from fastsvm.model import load_model

posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")


def test_processes(blobs, tmp_path):
    trained = process("train", blobs, *QUICK, "-o", tmp_path / "m")
    assert (trained.returncode, trained.stderr) == (0, "")  # no progress outside a terminal
    assert trained.stdout.endswith(f"saved {tmp_path / 'm'}\n")
    evaluated = process("evaluate", tmp_path / "m", blobs, "--json")
    assert (evaluated.returncode, evaluated.stderr) == (0, "")
    assert json.loads(evaluated.stdout)["samples"] == 60
    failed = process("evaluate", tmp_path / "none", blobs)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == f"error: No such file or directory: {tmp_path / 'none'}\n"


def test_a_simd_level_that_is_not_there_is_bad_input(blobs, monkeypatch):
    monkeypatch.setenv("FASTSVM_SIMD", "nonsense")
    failed = process("train", blobs, *QUICK)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("error: FASTSVM_SIMD must be one of baseline")
    assert failed.stderr.endswith("; got 'nonsense'\n")


def test_help_is_quick_to_import():
    code = (
        "import sys; from typer.testing import CliRunner; from fastsvm.cli import app;"
        "result = CliRunner().invoke(app, ['train', '--help']); assert result.exit_code == 0 and '--epochs' in result.stdout;"
        "heavy = {'numba', 'sklearn', 'scipy', 'safetensors', 'matplotlib'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_arguments_show_the_help():
    text = succeed()
    assert all(name in text for name in ("train", "evaluate", "predict", "gradcheck", "info", "130"))
    assert succeed("--version") == f"fastsvm {fastsvm.__version__}\n"


def test_help_of_every_command_fits_an_ascii_terminal():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "60"}
    for command in ("evaluate", "gradcheck"):
        shown = process(command, "--help", env=environment)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert max(map(len, shown.stdout.splitlines())) <= 60


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_reader_that_has_gone(quadrants, command, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fastsvm", command, *map(str, quadrants)], check=False, timeout=60,
            stdout=writer, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


class Terminal:
    """A process whose standard error is a terminal."""

    def __init__(self, *args: object, **variables: str) -> None:
        import pty

        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "FORCE_COLOR")}
        environment |= {"TERM": "xterm-256color", "COLUMNS": "120", **variables}
        self.shown = ""
        self.descriptor, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastsvm", *map(str, args)],
            stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment,
            # A shell may have started the tests with SIGINT ignored, which a child inherits.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        os.close(theirs)

    def wait_for(self, word: str | None) -> None:
        """Read what it shows until there is the word, or until it closes the terminal, which Linux reports as an error."""
        while word is None or word not in self.shown:
            assert select.select([self.descriptor], [], [], 60)[0], f"nothing came after {self.shown[-200:]!r}"
            try:
                chunk = os.read(self.descriptor, 1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                assert word is None, f"{word!r} did not come; {self.shown[-200:]!r}"
                return
            self.shown += chunk.decode(errors="replace")

    def end(self) -> tuple[int, str]:
        """Exit code and standard output."""
        try:
            self.wait_for(None)
            return self.process.wait(timeout=60), self.process.stdout.read()
        finally:
            self.process.kill()
            self.process.stdout.close()
            os.close(self.descriptor)


@posix
@pytest.mark.parametrize(("variables", "colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_progress(blobs, variables, colour):
    terminal = Terminal("train", blobs, "--epochs", 2000, "--validation", 0.2, **variables)
    code, stdout = terminal.end()
    assert code == 0
    assert stdout.startswith("data ")
    assert "epoch 2000/2000" in terminal.shown
    for word in ("loss ", "accuracy ", "validation ", "rate ", "samples/s"):
        assert word in terminal.shown
    assert ("\x1b[38;5;" in terminal.shown) == colour


@posix
def test_ctrl_c_keeps_the_best_weights(blobs, tmp_path):
    model, history = tmp_path / "m", tmp_path / "h.json"
    terminal = Terminal("train", blobs, "--epochs", 10**9, "--validation", 0.2, "-o", model, "--history", history)
    terminal.wait_for("accuracy")
    os.kill(terminal.process.pid, signal.SIGINT)
    code, stdout = terminal.end()
    assert code == 130
    assert "interrupted; " in stdout
    assert f"saved {model}" in stdout
    assert "Traceback" not in terminal.shown
    assert 0 < len(json.loads(history.read_text())) < 10**9
    assert load_model(model).n_classes == 3
