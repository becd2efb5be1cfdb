"""Build of fastsvm._native: one Cython module over C kernels that are compiled once per SIMD level.

pyproject.toml holds the metadata. Here: which flags the compiler takes (found by compiling), whether OpenMP works (found by
compiling and running a probe; its absence is printed now and shown by ``fastsvm info``), and the extra objects of the levels.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HEADERS = sorted(str(path) for path in Path("src").glob("*.h"))

#: Compiled once per level, each with the contraction into fused multiply-adds it may use.
KERNELS = {"src/tiles.c": "fast", "src/rows.c": "off", "src/blocks.c": "fast"}

#: Level -> (bytes of a vector register, flags, sources). Higher levels are built where the compiler takes their flags.
X86 = platform.machine() in ("x86_64", "AMD64")
BASELINE = {"baseline": (16, ["-msse4.2", "-mpopcnt"] if X86 else [], KERNELS)}
AVX2 = ["-mavx2", "-mfma", "-mf16c"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]
X86_LEVELS = {
    "avx2": (32, AVX2, KERNELS),
    "avx512": (64, AVX512, KERNELS),
    "vnni": (64, [*AVX512, "-mavx512vnni"], {"src/integers_vnni.c": "off"}),
    "amx": (64, [*AVX512, "-mamx-tile", "-mamx-int8"], {"src/integers_amx.c": "off"}),
}

#: Neither changes a result: they promise not to look at errno or at floating-point exceptions.
GNU_FLAGS = ["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-Wno-unknown-pragmas"]

OPENMP_PROBE = """
#include <omp.h>
#include <stdio.h>
int main(void) {
    int n = 0;
    #pragma omp parallel num_threads(2) reduction(+:n)
    n += 1;
    printf("%d", n);
    return n < 1;
}
"""


class BuildNative(build_ext):
    """Compile the levels' objects, then the module that links them."""

    def build_extensions(self) -> None:
        msvc = self.compiler.compiler_type == "msvc"
        if not self.takes([]):
            raise SystemExit(
                f"fastsvm: a C compiler is needed, and {self.compiler.compiler[0]!r} cannot compile an empty program"
            )
        gnu = [] if msvc else [flag for flag in GNU_FLAGS if self.takes([flag])]
        compile_openmp, link_openmp = self.find_openmp(msvc)
        for extension in self.extensions:
            levels = self.levels(msvc)
            extension.extra_compile_args = [*(["/O2", "/std:c11"] if msvc else gnu), *compile_openmp]
            extension.extra_link_args = list(link_openmp)
            extension.define_macros += [(f"FASTSVM_HAVE_{name.upper()}", "1") for name in levels if name != "baseline"]
            extension.extra_objects = self.compile_levels(levels, extension, msvc)
        super().build_extensions()

    def levels(self, msvc: bool) -> dict[str, tuple[int, list[str], dict[str, str]]]:
        if msvc or not X86:
            return BASELINE if not msvc else {"baseline": (16, [], KERNELS)}
        return BASELINE | {name: level for name, level in X86_LEVELS.items() if self.takes(level[1])}

    def compile_levels(
        self, levels: dict[str, tuple[int, list[str], dict[str, str]]], extension: Extension, msvc: bool
    ) -> list[str]:
        def compile_one(level: str, source: str, contraction: str) -> list[str]:
            width, flags, _ = levels[level]
            extra = [*extension.extra_compile_args, *flags]
            if not msvc:
                extra.append(f"-ffp-contract={contraction}")
            return self.compiler.compile(
                [source],
                output_dir=str(Path(self.build_temp) / level),
                macros=[("FASTSVM_LEVEL", level), ("FASTSVM_VECTOR_BYTES", str(width))],
                include_dirs=extension.include_dirs,
                extra_postargs=extra,
                depends=HEADERS,
            )

        jobs = [(name, *job) for name, (_, _, sources) in levels.items() for job in sources.items()]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [path for paths in pool.map(lambda job: compile_one(*job), jobs) for path in paths]

    def takes(self, flags: list[str]) -> bool:
        """Whether the compiler accepts these flags."""
        return self.probe("int main(void) { return 0; }", flags, [], run=False) is not None

    def find_openmp(self, msvc: bool) -> tuple[list[str], list[str]]:
        """Flags with which a parallel program compiles, links and runs; two empty lists where there are none."""
        candidates = [(["/openmp"], [])] if msvc else [(["-fopenmp"], ["-fopenmp"])]
        if sys.platform == "darwin":
            candidates.append((["-Xpreprocessor", "-fopenmp"], ["-lomp"]))
        if os.environ.get("FASTSVM_NO_OPENMP"):
            candidates = []
        for compile_flags, link_flags in candidates:
            if self.probe(OPENMP_PROBE, compile_flags, link_flags, run=True):
                return compile_flags, link_flags
        print("fastsvm: OpenMP was not found (or FASTSVM_NO_OPENMP is set): the native backend is built for one thread")
        return [], []

    def probe(self, source: str, compile_flags: list[str], link_flags: list[str], *, run: bool) -> str | None:
        """Compile a program (and link and run it); what it printed, or ``None`` where a step failed."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "probe.c"
            path.write_text(source)
            werror = [] if self.compiler.compiler_type == "msvc" else ["-Werror"]
            try:
                objects = self.compiler.compile([str(path)], output_dir=folder, extra_postargs=[*werror, *compile_flags])
                if not run:
                    return ""
                program = str(Path(folder) / "probe")
                self.compiler.link_executable(objects, program, extra_postargs=link_flags)
                return subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout
            except Exception:
                return None


setup(
    ext_modules=cythonize(
        [
            Extension(
                "fastsvm._native",
                [
                    "src/_native.pyx",
                    "src/passes.c",
                    "src/wide.c",
                    "src/candidates.c",
                    "src/combinations.c",
                    "src/sparse.c",
                    "src/sparse_epoch.c",
                    "src/exact.c",
                    "src/planes.c",
                    "src/bytes.c",
                    "src/dual.c",
                    "src/moments.c",
                    "src/step.c",
                    "src/team.c",
                    "src/dispatch.c",
                ],
                include_dirs=["src", numpy.get_include()],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
                depends=HEADERS,
            )
        ],
        build_dir="build/cython",
    ),
    cmdclass={"build_ext": BuildNative},
)
