"""`python -m workbook run`: the command behind `make run-notebooks`."""

import argparse
import os
import sys

from workbook.errors import WorkbookError


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; a WorkbookError becomes one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m workbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the notebooks of a profile and check their values")
    run.add_argument("--profile", default="default", help="a profile of notebooks/runs.yaml (default: %(default)s)")
    run.add_argument("--corpus", help="a corpus name or a folder in BEIR layout, instead of the profile's")
    run.add_argument("--model", help="a static model: name, hub id or folder, instead of the profile's")
    run.add_argument("--notebook", action="append", default=[], help="only this notebook (may be repeated)")
    options = parser.parse_args(arguments)
    if not sys.stderr.isatty():  # a log is no place for bars; tqdm reads this when it is imported
        os.environ.setdefault("TQDM_DISABLE", "1")
    from workbook import runner

    given = {"corpus": options.corpus, "static_model": options.model}
    try:
        return runner.run(options.profile, {k: v for k, v in given.items() if v}, options.notebook)
    except WorkbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: what was finished is kept, the same command goes on from there", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
