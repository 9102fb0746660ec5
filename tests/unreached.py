"""Each `raise` of the package that the measured tests did not reach: `make coverage` runs this after the tests.

Exit code 1 where there is one: an error nobody has seen is an error message nobody has read.
"""

import ast
import sys
from pathlib import Path

import coverage
import workbook


def main() -> int:
    measured = coverage.Coverage()
    measured.load()
    raises, unreached = 0, []
    package = Path(workbook.__file__).parent
    for file in sorted(package.rglob("*.py")):
        *_, missing, _ = measured.analysis2(str(file))
        source = file.read_text(encoding="utf-8")
        lines = [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise)]
        raises += len(lines)
        name = file.relative_to(package)
        unreached += [f"{name}:{line}: {source.splitlines()[line - 1].strip()}" for line in sorted(lines)
                      if line in missing]  # fmt: skip
    print(*unreached, f"{raises - len(unreached)} of {raises} raise statements reached", sep="\n")
    return int(bool(unreached))


if __name__ == "__main__":
    sys.exit(main())
