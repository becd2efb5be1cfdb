"""What ``import fastsvm`` costs a program that has imported NumPy."""

from __future__ import annotations


class Import:
    """Each sample is a new interpreter."""

    repeat = 5
    number = 1

    def timeraw_import_fastsvm(self) -> tuple[str, str]:
        check = "import sys; heavy = {'numba', 'scipy', 'sklearn', 'matplotlib'}"
        return "import fastsvm; assert not heavy & set(sys.modules), heavy & set(sys.modules)", f"import numpy; {check}"

    def timeraw_import_numpy(self) -> str:
        """For comparison."""
        return "import numpy"
