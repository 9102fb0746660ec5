"""Fuzzing by hand, `make fuzz SECONDS=600`: each loader is given broken files, guided by the lines they reach.

What breaks a loader's rule is a finding: a file written beside its folder, a hang, and memory beyond a limit too. Of
each kind of finding the smallest file is kept in data/fuzz. A loader runs in a process of its own, for Arrow and other
code in C may take it down: that is a finding, and another process goes on.
"""

import contextlib
import io
import os
import random
import re
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"

import atheris

with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["workbook", "yaml", "zipfile"]):
    import fuzz_loaders
    from workbook import paths

MEMORY = 3 * 2**30  # bytes of addresses: Arrow and pandas alone take one
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "shutil.rmtree")
HANGS = 20  # seconds for one input


def where(error: BaseException) -> str:
    """What kind of finding an error is: its type and the last line of the workbook that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/workbook/" in frame.filename] or frames
    at = f"{Path(own[-1].filename).stem}-{own[-1].name}"
    return re.sub(
        r"\W+", "-", f"{type(error).__name__} {at} {str(error)[:24] if isinstance(error, AssertionError) else ''}"
    )


def fuzz(name: str, home: Path, seconds: int) -> None:
    """Fuzz one loader in this process; never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    loader, folder = fuzz_loaders.LOADERS[name], home / "folder"
    for file in (home / "corpus", home / "findings"):
        file.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(loader.seeds):
        (home / "corpus" / f"seed-{number}").write_bytes(seed)
    outside: list[str] = []

    def watch(event: str, arguments: tuple) -> None:
        if event == "open":
            writes = isinstance(arguments[1], str) and any(letter in arguments[1] for letter in "wax+")
        else:  # relative to a folder that is open is what shutil.rmtree does in a folder checked before
            writes = event in CHANGES and arguments[-1] in (-1, None)
        if writes and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100
            if not path.startswith((str(home), "/dev/null")):
                outside.append(f"{event} {path}")

    sys.addaudithook(watch)

    def test_one(content: bytes) -> None:
        outside.clear()
        try:
            fuzz_loaders.given(name, content, folder)
            if outside:
                raise AssertionError(f"outside: {outside[0]}")
        except Exception as error:
            found = home / "findings" / where(error)
            if not found.exists() or found.stat().st_size > len(content):
                found.write_bytes(content)
                lines = traceback.format_exception(error)
                found.with_suffix(".txt").write_text("".join(lines)[-20_000:], "utf-8", "backslashreplace")

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        changed = loader.mutate(content, draw) if draw.random() < 0.7 else atheris.Mutate(content, most)
        return changed[:most]

    arguments = [
        sys.argv[0], f"-max_total_time={seconds}", f"-timeout={HANGS}", "-rss_limit_mb=3000", "-print_final_stats=1",
        "-max_len=16384", f"-artifact_prefix={home / 'findings'}/", "-verbosity=1", str(home / "corpus"),
    ]  # fmt: skip
    atheris.Setup(arguments, test_one, **({"custom_mutator": mutate} if loader.mutate else {}))
    atheris.Fuzz()


def child(name: str, home: Path, seconds: int) -> int:
    """Fuzz one loader in a process of its own: how that ended. What it says is in `log`."""
    process = os.fork()
    if not process:
        log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        fuzz(name, home, seconds)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main(seconds: int, folder: Path, chosen: list[str]) -> int:
    """Fuzz the loaders one after the other and print how often each was run; 1 if there is a finding."""
    total = [0, 0.0, 0]
    print(f"{'loader':<20} {'executions':>12} {'seconds':>8} {'findings':>8}", flush=True)
    for name in chosen:
        home, runs, spent = folder / name.replace(" ", "-"), 0, 0.0
        (home / "findings").mkdir(parents=True, exist_ok=True)
        while spent < seconds / len(chosen):
            began = time.monotonic()
            ended = child(name, home, max(1, round(seconds / len(chosen) - spent)))
            spent += time.monotonic() - began
            told = re.findall(r"stat::number_of_executed_units:\s+(\d+)", (home / "log").read_text("utf-8", "replace"))
            if not told:
                raise SystemExit(f"{name} did not begin: see {home / 'log'}")
            runs += int(told[-1])
            if ended:
                shutil.copy(home / "log", home / "findings" / f"ended-with-{ended}.txt")
        found = [file for file in (home / "findings").iterdir() if file.suffix != ".txt"]
        row = runs, spent, len(found)
        total = [one + other for one, other in zip(total, row, strict=True)]
        print("{:<20} {:>12,} {:>8,.0f} {:>8}".format(name, *row), flush=True)
    print("{:<20} {:>12,} {:>8,.0f} {:>8}".format("all", *total))
    return 1 if total[-1] else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), paths.DATA / "fuzz", sys.argv[2:] or list(fuzz_loaders.LOADERS)))
