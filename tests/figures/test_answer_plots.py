"""The figure of the answer draws what the run found, and its title says it."""

import pytest
from published_run import SCORES, publish, rows
from workbook.conclusions import asked, run_rows
from workbook.errors import WorkbookError
from workbook.figures import answer_plots


@pytest.fixture
def draw(data, monkeypatch):
    def drawn(without=(), **changed):
        for label, score in changed.items():
            monkeypatch.setitem(SCORES, label, score)
        publish(monkeypatch, without=without)
        read = run_rows.read("made")
        return answer_plots.answer(asked.of(read, asked.methods(read)[0]))

    return drawn


def names(axis):
    return [label.get_text() for label in axis.get_yticklabels()]


def test_it_compares_searches_with_the_transformer_and_compression_with_the_whole(draw):
    searches, gains, compressed, savings = draw().axes
    assert names(searches) == [
        "slow + BM25 (dbsf)", "slow + BM25 (rrf)", "trained + BM25 (dbsf)", "trained + BM25 (rrf)", "trained",
        "fast + BM25 (dbsf)", "fast + BM25 (rrf)", "BM25", "fast",
    ]  # fmt: skip
    assert names(compressed) == ["32 dimensions", "16 dimensions", "scalar-int8", "binary", "binary, rescored"]
    assert searches.get_title(loc="left") == "instead of slow"
    assert [text.get_text() for text in gains.texts] == ["1.0×"] * 2 + ["100×"] * 7  # noqa: RUF001
    assert [text.get_text() for text in savings.texts] == ["2.0×", "4.0×", "3.8×", "16×", "16×"]  # noqa: RUF001


def test_the_title_compares_like_with_like_and_tells_the_speed(draw):
    title = " ".join(draw().get_suptitle().split())
    assert title.startswith("trained + BM25 (dbsf): NDCG@10 −0.0") and "against slow + BM25 (dbsf)" in title  # noqa: RUF001
    assert title.endswith("against slow alone, with 100 times its documents a second")


def test_colours_are_those_of_the_intervals(draw):
    axis = draw().axes[2]
    points = [line for line in axis.get_lines() if line.get_marker() in "^sov" and len(line.get_xdata()) == 1]
    drawn = {names(axis)[int(line.get_ydata()[0])]: (line.get_color(), line.get_marker()) for line in points}
    verdicts = ["equal", "worse", "equal", "worse", "equal"]
    assert list(drawn.values()) == [answer_plots.LOOKS[verdict] for verdict in verdicts]


def test_without_anything_to_draw_it_says_what_to_run(data, monkeypatch):
    publish(monkeypatch, without=tuple(name for name in rows() if not name.startswith("02")))
    read = run_rows.read("made")
    with pytest.raises(WorkbookError, match="run notebooks 01, 03, 04 and 05 first"):
        answer_plots.answer(asked.of(read, []))


def test_each_verdict_has_a_marker_of_its_own():
    looks = list(answer_plots.LOOKS.values())
    assert len({marker for _, marker in looks}) == len({color for color, _ in looks}) == len(looks) == 4


def test_the_caption_says_corpus_n_and_machine(draw):
    figure = draw()
    [caption] = [text.get_text() for text in figure.texts if text.get_fontsize() == 8]
    assert caption.startswith("made, 100 queries, 95% bootstrap intervals") and "cores" in caption


def test_what_was_not_run_is_not_drawn(draw):
    figure = draw(without=("03_matryoshka_dimensions", "04_quantization_vs_ndcg", "05_train_your_own"))
    assert len(figure.axes) == 2 and "trained" not in names(figure.axes[0])
