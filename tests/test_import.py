"""What importing fastsvm does and costs, where it comes from, and what goes into its source distribution."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastsvm

ROOT = Path(__file__).resolve().parents[1]

#: Imported by fastsvm on first use only.
HEAVY = ("numba", "llvmlite", "matplotlib", "sklearn", "scipy")


def run_python(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter, outside the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_import_loads_no_heavy_library(tmp_path):
    done = run_python("import sys, json, fastsvm; print(json.dumps(sorted(sys.modules)))", tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "fastsvm" in loaded
    assert "numpy" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_first_computation_loads_no_heavy_library(tmp_path, backend):
    code = f"""
import sys, json, numpy as np, fastsvm
fastsvm.train(np.eye(3), np.arange(3), epochs=1, backend={backend!r})
print(json.dumps(sorted(sys.modules)))
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not set(json.loads(done.stdout)) & set(HEAVY)


def test_import_is_quick(tmp_path):
    """Less than 0.15 s beyond NumPy, the median of several interpreters."""
    code = "import time, numpy; start = time.perf_counter(); import fastsvm; print(time.perf_counter() - start)"
    runs = [run_python(code, tmp_path) for _ in range(7)]
    assert [run.stderr for run in runs if run.returncode] == []
    assert statistics.median(float(run.stdout) for run in runs) < 0.15


def test_every_public_name_exists():
    assert [name for name in fastsvm.__all__ if not hasattr(fastsvm, name)] == []
    assert set(fastsvm.__all__) <= set(dir(fastsvm))
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = fastsvm.no_such_name


def test_the_tests_run_against_the_installed_package():
    """A source tree that shadows an installed package would be tested in its place."""
    try:
        installed = metadata.distribution("fastsvm")
    except metadata.PackageNotFoundError:
        pytest.skip("fastsvm is not installed but imported from a source tree; 'pip install .' tests the package itself")
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("fastsvm is an editable install; 'pip install .' tests the package itself")
    found = Path(fastsvm.__file__).resolve()
    assert found == Path(str(installed.locate_file("fastsvm/__init__.py"))).resolve()
    assert not found.is_relative_to(ROOT / "fastsvm")
    assert fastsvm.__version__ == installed.version


def test_an_unbuilt_source_tree_says_how_to_build(tmp_path):
    source = Path(fastsvm.__file__).parent
    shutil.copytree(source, tmp_path / "fastsvm", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    done = run_python("import fastsvm", tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: ")
    assert "pip install ." in message
    assert str(tmp_path / "fastsvm") in message


@pytest.mark.slow
def test_the_source_distribution_holds_what_a_build_needs(tmp_path):
    if not (ROOT / "setup.py").exists():
        pytest.skip(f"there is no setup.py in {ROOT}")
    missing = [name for name in ("build", "setuptools", "Cython") if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    if int(metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip(f"needs setuptools >= 77, as pyproject.toml says; this is {metadata.version('setuptools')}")
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "env", "html", "results")
    shutil.copytree(ROOT, tree, ignore=ignored)
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(tree)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = (tmp_path / "dist").glob("fastsvm-*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {str(Path(*Path(name).parts[1:])) for name in tar.getnames()}
    sources = {f"src/{path.name}" for path in (ROOT / "src").iterdir() if path.suffix in (".c", ".h", ".pyx", ".pxd")}
    assert any(name.endswith(".c") for name in sources)
    assert any(name.endswith(".pyx") for name in sources)
    wanted = sources | {"setup.py", "pyproject.toml", "LICENSE", "CHANGELOG.md", "fastsvm/__init__.py", "fastsvm/py.typed"}
    assert wanted - names == set()
    assert [name for name in names if name.endswith((".so", ".pyd", ".pyc"))] == []
