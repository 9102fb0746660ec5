"""What a user wrote is shown as it was written: in HTML, in Markdown and in figures."""

import matplotlib.pyplot as plt
import mistune
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from published_run import publish, rows
from workbook import written
from workbook.conclusions import asked, run_rows
from workbook.evaluation import results
from workbook.figures import answer_plots, plots, tables

HOSTILE = ["us$_$", "a$b$c", r"\(x\)", "$$", "*b*", "<b>", "[x](y)", "a|b", "`c`", "_u_", "~~s~~", "007", "&amp;"]
HOSTILE += ["[x]: y"]  # a definition of a link


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_a_name_as_it_was_written(name):
    """Read by a parser of GitHub's Markdown; a dollar alone in its element is no mathematics there."""
    table = f"| a | b |\n|---|---|\n| {written.markdown(name)} | 1 |\n"
    parse = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])
    page = BeautifulSoup(parse(table), "html.parser")
    cell, other = page.find_all("td")
    assert cell.get_text() == name and other.get_text() == "1"
    assert {tag.name for tag in cell.find_all(True)} <= {"span"}
    assert all("$" not in text or text.parent.name == "span" for text in cell.find_all(string=True))


@pytest.mark.parametrize("name", HOSTILE)
def test_html_shows_a_name_as_it_was_written_and_mathjax_passes_it_by(name):
    frame = pd.DataFrame({name: [name], "n": [1]}, index=pd.Index([name], name=name))
    row = {"corpus": name, "model": name, "method": name, "metric": "ndcg@10", "value": 0.5, "key": name}
    for markup in (
        written.table(frame, "x").to_html(), frame._repr_html_(), written.paragraphs([name]),
        tables.table(pd.DataFrame([row]), ["corpus", "model", "method"], ["ndcg@10"]).to_html(),
    ):  # fmt: skip
        page = BeautifulSoup(markup, "html.parser")
        assert name in set(page.stripped_strings)
        for found in page.find_all(string=lambda text: text and "$" in text):
            assert any("mathjax_ignore" in (tag.get("class") or []) for tag in found.parents), found
        assert page.find("a") is None and page.find("b") is None


@pytest.mark.parametrize("name", HOSTILE)
def test_a_figure_shows_a_name_as_it_was_written(data, monkeypatch, name):
    """Titles, ticks, legends and annotations; us$_$ once ended a figure in ValueError, after the measuring."""
    monkeypatch.setattr(plots.paths, "FIGURES", data / "figures")
    facts = {"corpus": name, "model": name, "metric": "ndcg@10", "value": 0.5, "low": 0.4, "high": 0.6, "n": 30}
    frame = pd.DataFrame([{**facts, "dimension": dimension} for dimension in (64, 32)])
    figure = plots.matryoshka(frame, {name: 0.55})
    assert plots.save(figure, "made", "matryoshka").data.startswith(b"\x89PNG")
    assert not any(text.get_parse_math() for text in figure.findobj(plt.Text) if "$" in text.get_text())
    assert name in figure.get_suptitle() and name in figure.axes[0].get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("name", ["us$_$", "$$", "007"])
def test_a_run_with_such_names_is_answered_and_drawn(data, monkeypatch, name):
    frames = {notebook: frame.assign(corpus=name) for notebook, frame in rows().items()}
    publish(monkeypatch)
    for notebook, frame in frames.items():
        results.publish(notebook, frame)
    read = run_rows.read("made")
    assert read.problems == [] and read.corpus == name
    monkeypatch.setattr(plots.paths, "FIGURES", data / "figures")
    figure = answer_plots.answer(asked.of(read, asked.methods(read)[0]))
    assert plots.save(figure, read.slug, "answer").data and f"{name}-answer.png" in {
        file.name for file in (data / "figures").iterdir()
    }
