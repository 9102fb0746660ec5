"""Jobs are checked before they start, done once, and found again."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from workbook import paths
from workbook.corpora import corpora, document_streams
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import ingest, ingest_runs
from workbook.experiments.ingest import Job

JOB = Job("sample", 500, "tiny-static", 32)


def test_a_job_is_done_in_another_process_and_found_again(data, monkeypatch):
    run = ingest_runs.measure(JOB)
    assert (run.corpus, run.model, run.job) == ("assembled from sample, seed 0", "tiny-static", JOB)
    assert (run.n, run.dimension, run.setting) == (500, 32, "binary")
    assert set(run.seconds) == {"encode", "upsert", "index"}
    assert not list((paths.DATA / "scale").iterdir()), "shards and index are gone"
    monkeypatch.setattr(ingest, "run", None)
    assert ingest_runs.measure(JOB) == run
    texts = [text for shard in document_streams.of(corpora.load("sample"), 500, 0).shards() for text in shard]
    words = " ".join(texts).split(" ")
    assert (run.words, run.distinct) == (len(words), len(set(words)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n must be 1 or more"),
        ({"waiting": 0}, "waiting must be 1 or more"),
        ({"processes": 0}, "processes must be 1 or more"),
        ({"dimension": 65}, "64 dimensions"),
        ({"setting": "binary-3bit"}, "unknown quantization"),
        ({"search": "fast"}, "unknown search"),
        ({"model": "none"}, "unknown model"),
        ({"corpus": "none"}, "unknown corpus"),
        ({"engine_name": "memory"}, "drops quantization"),
        ({"engine_name": "server"}, "needs QDRANT_URL"),
    ],
)
def test_a_bad_job_is_refused(data, monkeypatch, changes, message):
    monkeypatch.delenv("QDRANT_URL", raising=False)
    with pytest.raises(WorkbookError, match=message):
        ingest_runs.measure(JOB._replace(**changes))


@pytest.mark.parametrize(("n", "what"), [(10**9, "GB of memory"), (10**12, "GB of memory")])
def test_more_than_fits_is_refused_with_the_numbers(data, n, what):
    with pytest.raises(WorkbookError, match=what) as raised:
        ingest_runs.measure(JOB._replace(n=n))
    assert f"{n:,} documents x 32 dimensions need about" in str(raised.value)
    assert not (paths.DATA / "scale").exists()


def test_a_full_disk_is_refused_with_the_numbers(data, monkeypatch):
    monkeypatch.setattr(ingest_runs.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000}))
    with pytest.raises(WorkbookError, match=r"0\.0 GB of disk, 0\.0 GB are free"):
        ingest_runs.measure(JOB)


@pytest.mark.slow
def test_a_job_on_a_server_is_another_job_and_one_on_edge_is_what_it_was(data, server):
    """What was kept of jobs on Edge before there were others is found."""
    about = {}
    for engine_name in ("edge", "server"):
        key = ingest_runs.measure(JOB._replace(setting="scalar-int8", engine_name=engine_name)).key
        about[engine_name] = results.read("scale", key)["about"]
    more = {"engine_name", "placement", "server"}
    assert set(about["server"]) - set(about["edge"]) == more and not more & set(about["edge"])
    assert about["server"]["server"]["nodes"] == 1 and about["server"]["placement"]["shard_number"] is None
    assert server.collections == []


@pytest.mark.slow
def test_an_interrupted_job_on_a_server_goes_on_from_what_was_encoded(data, server, monkeypatch):
    job = JOB._replace(n=5_000, setting="scalar-int8", engine_name="server")

    def interrupt(count):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ingest_runs, "bar", lambda **_: nullcontext(SimpleNamespace(update=interrupt)))
        with pytest.raises(KeyboardInterrupt):
            ingest_runs.measure(job)
    assert server.collections == [], "what is on the server is removed at once"
    run = ingest_runs.measure(job)
    assert run.resumed >= 2_048 and server.collections == []
    assert not list((paths.DATA / "scale").iterdir())


def test_a_server_holds_the_index_itself(data, monkeypatch):
    """Here are the shards and no more: what would not fit on Edge has room."""
    n, once = 2_000_000, 2_000_000 * 32 * 4
    monkeypatch.setattr(ingest_runs.shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * once))
    monkeypatch.setattr(ingest_runs.psutil, "virtual_memory", lambda: SimpleNamespace(available=ingest_runs.RESERVE))
    ingest_runs.check_room(JOB._replace(n=n, engine_name="server"))
    with pytest.raises(WorkbookError, match="GB of memory"):
        ingest_runs.check_room(JOB._replace(n=n))
    with pytest.raises(WorkbookError, match="GB of disk"):
        ingest_runs.check_room(JOB._replace(n=3 * n, engine_name="server"))


def test_jobs_are_each_size_then_all_again():
    jobs = ingest_runs.jobs("sample", [300, 100], "tiny-static", 64, True, 2, 7, 2)
    assert [(job.n, job.words_once, job.repeat) for job in jobs] == [
        (n, once, repeat) for repeat in (0, 1) for n, once in [(100, True), (300, True), (300, False)]
    ]
    assert {(job.seed, job.waiting, job.most) for job in jobs} == {(7, 2, 300)}
    assert len(ingest_runs.jobs("sample", [300, 100], "tiny-static", 64, False, 2, 7, 1)) == 2


def test_several_processes_encode_in_all_sizes_alike_and_the_library_in_one():
    jobs = ingest_runs.jobs("sample", [300, 100], "tiny-static", 64, True, 2, 7, 1, processes=2)
    assert [(job.words_once, job.processes) for job in jobs] == [(True, 2), (True, 2), (False, 1)]
    assert jobs[0].how == "each word tokenized once, 2 processes" and jobs[2].how == "the library's tokenization"


def test_why_the_library_has_to_tokenize_is_a_sentence(monkeypatch):
    assert ingest_runs.refusal("tiny-static") == ""
    told = ingest_runs.refusal("tiny-transformer")
    assert told == "tiny-transformer: it is a transformer, so its documents are tokenized as the library does it."


def test_repeats_are_put_together_and_have_a_middle():
    def run(seconds, **changes):
        return ingest_runs.Run("", "", JOB._replace(**changes), {}, {}, seconds, {}, {}, [], [], 0, "")

    runs = [run(3), run(9, n=1_000), run(1, repeat=1), run(2, repeat=2)]
    groups = ingest_runs.repeats_of(runs)
    assert [[each.total_seconds for each in group] for group in groups] == [[3, 1, 2], [9]]
    assert ingest_runs.middle(groups[0]).total_seconds == 2
