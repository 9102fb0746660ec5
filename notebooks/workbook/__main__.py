"""`python -m workbook run`, `report`, `readme`, `bench`...: the commands behind the Makefile's targets."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from workbook import corpora, embedding, evaluation, experiments, explorer, figures, paths, runs, training
from workbook.errors import WorkbookError


class _Parser(argparse.ArgumentParser):
    """A wrong option is wrong input like any other: one line, and exit code 1."""

    def error(self, message: str) -> NoReturn:
        raise WorkbookError(f"{message}; `{self.prog} --help` says what there is")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; a WorkbookError becomes one line and exit code 1."""
    if not sys.stderr.isatty():  # a log is no place for bars
        os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        options = _parser().parse_args(arguments)
        options.given = (sys.argv[1:] if arguments is None else arguments)[1:]
        return options.command(options)
    except WorkbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: what was finished is kept, the same command goes on from there", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    print(f"profile {options.profile}: checking what it asks for", flush=True)  # the libraries take seconds to load
    return runs.runner.run(options.profile, _overrides(options), options.notebook)


def _report(options: argparse.Namespace) -> int:
    index = runs.report.build(options.profile, _overrides(options))
    print(f"report: {index}")
    return 0


def _readme(options: argparse.Namespace) -> int:
    profile, overrides = options.profile, _overrides(options)
    planned = runs.parts.of(runs.plan.read(runs.plan.PLAN), profile, overrides, [], ask=False)
    notebooks = {job.notebook for part in planned for job in part.jobs}
    run, command = runs.outcomes.run_name(profile, overrides), runs.outcomes.command_of(profile, overrides)
    rows = paths.ROOT / "data" / "readme-rows.csv"
    files = paths.ROOT / "README.md", paths.ROOT / "notebooks" / "README.md"
    runs.front_page.write(*files, rows, run, command, runs.outcomes.measuring(notebooks))
    print("the answer is written into README.md and notebooks/README.md, its rows into data/readme-rows.csv")
    print(_write_queries())
    return 0


def _write_queries() -> str:
    """Work out two queries on the README, by the model that a run on python-docs left; says what was done."""
    corpus = "python-docs"  # the texts of other corpora are not ours to print
    there = any((paths.DATA / "models").glob(f"custom-{corpus}-*"))
    custom = training.trained_models.found(corpora.unlabelled(corpus)) if there else ""
    if not custom:
        return "the queries stay as they are: they need a model of make run-notebooks"
    models = [embedding.encoders.load(name) for name in ("static-distilled", custom, "all-MiniLM-L6-v2")]
    explorer.worked.write(paths.ROOT / "README.md", explorer.Explorer(corpora.load(corpus), *models))
    return "the queries are written into README.md"


def _overrides(options: argparse.Namespace) -> dict[str, str]:
    given = {"corpus": options.corpus, "static_model": options.model, "engine_name": options.engine}
    return {name: value for name, value in given.items() if value is not None}


def _bench(options: argparse.Namespace) -> int:
    return runs.bench.encoding(options.profile, _overrides(options))


def _bench_grid(options: argparse.Namespace) -> int:
    table = runs.bench.grid_speed(options.corpus, options.model)
    print(table.to_string(index=False, float_format="{:.2f}".format))
    print(runs.bench.summary(table))
    return 0


def _bench_encoders(options: argparse.Namespace) -> int:
    speed, corpus = experiments.encoding_speed, corpora.load(options.corpus)
    forms = options.form or embedding.variants.available("transformer")
    pairs = [(name, form) for name in options.rival for form in forms]
    rows = speed.every_form(corpus, options.model, pairs, options.words, options.batch, options.repeats)
    metrics = ["texts/s", "texts/s of the model alone", "best batch", *embedding.stages.STAGES]
    shown = figures.tables.table(rows, ["words", "model"], metrics)
    print(f"{shown.data.to_string()}\n{evaluation.results.machine_label()}")
    if options.record:
        how = f"{options.repeats} rounds, the best of batches of {', '.join(map(str, options.batch))}"
        command = f"python -m workbook bench-encoders {shlex.join(options.given)}"
        print(f"{runs.bench.record(rows, Path(options.record), command, how)} lines added to {options.record}")
    return 0


def _bench_static(options: argparse.Namespace) -> int:
    table = runs.bench.static_encoders(options.corpus, options.model, options.repeats, options.processes)
    print(f"{table.to_string(index=False)}\n{table.attrs['texts']}; {evaluation.results.machine_label()}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m workbook", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run the notebooks of a profile and check their values")
    run.set_defaults(command=_run)
    run.add_argument("--notebook", action="append", default=[], help="only this notebook (may be repeated)")
    report = commands.add_parser("report", help="build the HTML report of what was run of a profile")
    report.set_defaults(command=_report)
    readme = commands.add_parser("readme", help="write the answer of a run into README.md")
    readme.set_defaults(command=_readme)
    bench = commands.add_parser("bench", help="measure encoding, storing and indexing, and print the tables")
    bench.set_defaults(command=_bench)
    for command, profile in [(run, "default"), (report, "default"), (readme, "default"), (bench, "scale")]:
        command.add_argument(
            "--profile", default=profile, help="a profile of notebooks/runs.yaml (default: %(default)s)"
        )
        command.add_argument(
            "--corpus",
            help="a corpus name or a folder in BEIR layout, or several with commas, instead of the profile's",
        )
        command.add_argument("--model", help="a static model: name, hub id or folder, instead of the profile's")
        command.add_argument("--engine", help="edge, or server: a node or cluster at QDRANT_URL")
    grid = commands.add_parser("bench-grid", help="print how fast a grid of quantization settings is measured")
    grid.set_defaults(command=_bench_grid)
    grid.add_argument("--corpus", default="python-docs", help="a corpus (default: %(default)s)")
    grid.add_argument("--model", default="static-distilled", help="a model (default: %(default)s)")
    speed = commands.add_parser("bench-encoders", help="time a static model beside transformers in each form, GPU too")
    speed.set_defaults(command=_bench_encoders)
    speed.add_argument("--corpus", default="python-docs", help="where texts are cut from (default: %(default)s)")
    speed.add_argument("--model", default="static-distilled", help="a static model (default: %(default)s)")
    speed.add_argument("--rival", nargs="+", default=["all-MiniLM-L6-v2"], help="transformers (default: %(default)s)")
    speed.add_argument("--form", nargs="+", help="forms to run them in (default: all that this machine has)")
    speed.add_argument("--words", nargs="+", type=int, default=[8, 160], help="of each text (default: %(default)s)")
    speed.add_argument("--batch", nargs="+", type=int, default=[8, 64, 256, 1024], help="sizes to choose from")
    speed.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    speed.add_argument("--record", help="a file to add the speeds to, as data/measured.csv has them")
    static = commands.add_parser("bench-static", help="time a static model here, in model2vec, FastEmbed and others")
    static.set_defaults(command=_bench_static)
    static.add_argument("--corpus", default="python-docs", help="texts, if BEIR_DATA_DIR has none (%(default)s)")
    static.add_argument("--model", default="static-distilled", help="a static model (default: %(default)s)")
    static.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    static.add_argument("--processes", type=int, default=2, help="of the way with several (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
