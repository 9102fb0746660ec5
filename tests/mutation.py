"""Break the modules that numbers come from in small ways, and count what their tests notice: `make mutation`.

mutmut makes the mutants and runs, for each, the tests that reach it. It expects a package below src/, so it gets a copy
of this project, in mutants/, where `mutmut show NAME` then tells what a survivor is. Arguments name the mutants, all
without any: "workbook.qdrant.engine.*[16]" is every fifth of the engine's. Only a failed test counts as noticing: one
that times out or kills its process is counted by itself. Simulations are left out; they take too long.
"""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "mutants"
MODULES = ("evaluation/evaluation", "evaluation/statistics", "qdrant/quantization", "qdrant/engine")
TESTS = [
    *(
        f"tests/{name.replace('/', '/test_')}.py"
        for name in (*MODULES, "qdrant/bm25", "qdrant/edge", "whole/properties_numbers")
    ),
    *(
        f"tests/whole/test_oracles.py::test_{name}"
        for name in (
            "scores_of_random_runs_are_those_that_trec_eval_gives_the_tied_scores",
            "the_range_of_ties_is_that_of_all_orders",
            "p_values_decide_below_five_percent_and_from_ten_queries",
            "the_engines_codes_of_odd_vectors_are_those_that_numpy_computes",
        )
    ),
]
LEAST = 0.8  # of each module's mutants
# "forkserver": Rust's threads do not survive a fork, so each mutant's process comes from one that never ran a test
SETTINGS = f"""
[tool.pytest.ini_options]
pythonpath = ["src", "tests"]
addopts = "-m 'not slow'"
markers = ["slow"]

[tool.mutmut]
source_paths = ["src/workbook"]
only_mutate = {[f"src/workbook/{name}.py" for name in MODULES]}
pytest_add_cli_args_test_selection = {TESTS}
process_isolation = "forkserver"
"""


def main(names: list[str]) -> int:
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", COPY / "src")
    shutil.copytree(ROOT / "tests", COPY / "tests")
    (COPY / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run([mutmut, "run", *names], cwd=COPY, check=True)
    told = subprocess.run([mutmut, "results", "--all", "true"], cwd=COPY, check=True, capture_output=True, text=True)
    found = [line.strip().rpartition(": ")[::2] for line in told.stdout.splitlines() if ": " in line]
    return report({name: status for name, status in found if status != "not checked"})


def report(found: dict[str, str]) -> int:
    """Print the survivors and a line for each module; 1 if one of them is below LEAST."""
    print(*(f"{name}: {status}" for name, status in sorted(found.items()) if status != "killed"), sep="\n")
    low = 0
    for module in MODULES:
        counts = Counter(
            status for name, status in found.items() if name.startswith(f"workbook.{module.replace('/', '.')}.")
        )
        if counts:
            share = counts["killed"] / counts.total()
            low |= share < LEAST
            others = ", ".join(f"{n} {status}" for status, n in counts.most_common() if status != "killed")
            print(f"{module}: {counts.total()} mutants, {counts['killed']} killed ({share:.0%}); {others}")
    return int(low)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
