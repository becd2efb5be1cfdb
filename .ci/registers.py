"""Look through the objects of a build for registers above their SIMD level.

    python .ci/registers.py FOLDER    # of `python setup.py build_ext --build-temp FOLDER`

Code for a higher level may only be reached after the processor has been asked for it, so all other objects must do without.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

#: Folder of an object (what is in none belongs to the baseline) → what its disassembly must not hold.
TILES, DOTS = r"%tmm\d", r"\bvpdpbusds?\b"
FORBIDDEN = {
    "baseline": rf"%[yz]mm\d|%k[1-7]\b|\bv(?:mov|add|mul|fm)\w+|{DOTS}|{TILES}",
    "avx2": rf"%zmm\d|%k[1-7]\b|%[xy]mm(?:1[6-9]|2\d|3[01])\b|{DOTS}|{TILES}",
    "avx512": rf"{DOTS}|{TILES}",
    "vnni": TILES,
    "amx": DOTS,
}
#: What shows that the search finds something: in the objects of a level there is this.
EXPECTED = {"avx2": r"%ymm\d", "avx512": r"%zmm\d", "vnni": DOTS, "amx": TILES}


def main(folder: str) -> int:
    failures, found = [], set()
    objects = sorted(Path(folder).rglob("*.o"))
    for path in objects:
        level = next((name for name in FORBIDDEN if name in path.parts), "baseline")
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True, check=True)
        if match := re.search(FORBIDDEN[level], text.stdout):
            failures.append(f"{path}: {match[0]!r} is above {level}")
        if level in EXPECTED and re.search(EXPECTED[level], text.stdout):
            found.add(level)
    levels = {name for name in EXPECTED if any(name in path.parts for path in objects)}
    failures += [f"no object of {name} holds {EXPECTED[name]!r}: is the search broken?" for name in sorted(levels - found)]
    print(*failures or [f"{len(objects)} objects of {len(levels) + 1} levels hold no register above their own"], sep="\n")
    return bool(failures) or not objects


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
