"""Training pairs: what is made of a document, what is held out, and what is refused."""

# ruff: noqa: RUF001 (sentences in other alphabets)

import unicodedata

import numpy as np
import pytest
from workbook.corpora import corpora, pairs
from workbook.corpora.corpora import Corpus, Document
from workbook.errors import WorkbookError

FIRST, SECOND, THIRD = "A river bends to the left.", "Its bank gives way after rain.", "Willow roots hold the soil."
RIVER = Document("How a bank erodes", f"{FIRST} {SECOND} {THIRD}")
MANY = {"d": Document("", " ".join(f"Sentence number {n} of a long text." for n in range(12)))}


def made(document, kinds=pairs.KINDS, sentences=5, seed=0):
    return pairs.make({"d": document}, kinds, sentences, seed)


def random_texts(count, words=12, seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(f"w{number}" for number in random.integers(0, 10**6, words)) for _ in range(count)]


def documents(texts):
    return {f"d{number}": Document("", text) for number, text in enumerate(texts)}


def test_a_title_and_three_sentences_give_a_pair_of_each_kind():
    assert set(made(RIVER)) == {
        ("How a bank erodes", f"{FIRST} {SECOND} {THIRD}", "d", "title"),
        (FIRST, f"{SECOND} {THIRD}", "d", "summary"),
        (SECOND, f"How a bank erodes {FIRST} {THIRD}", "d", "sentence"),
        (THIRD, f"How a bank erodes {FIRST} {SECOND}", "d", "sentence"),
    }


@pytest.mark.parametrize("kind", ["title", "summary", "sentence"])
def test_only_the_wanted_kinds_are_made(kind):
    assert made(RIVER, [kind]) == [pair for pair in made(RIVER) if pair.kind == kind] != []


def test_one_sentence_is_found_by_its_title_or_by_spans_of_it():
    assert made(Document("Rivers", FIRST)) == [("Rivers", FIRST, "d", "title")]
    for document in (Document("", FIRST), Document("Rivers bend left", ""), Document("Rivers bend left", FIRST)):
        assert {pair.kind for pair in made(document, ["sentence", "span"])} == {"span"}
        assert made(document, ["summary", "sentence"]) == []
    assert (THIRD, f"{FIRST} {SECOND}", "d", "sentence") in made(Document("", RIVER.text))


def test_a_short_sentence_is_no_anchor_but_stays_in_the_rest():
    assert made(Document("", f"It bends. {SECOND}")) == [(SECOND, "It bends.", "d", "sentence")]
    assert made(Document("", f"{FIRST} It bends.")) == [(FIRST, "It bends.", "d", "summary")]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Der Fluss biegt links ab.", "Über dem Ufer regnet es.", "Öfter gibt es nach!"],
        ["Река течёт влево.", "Её берег оседает после дождя.", "Ивы держат землю?"],
        ["Το ποτάμι στρίβει αριστερά.", "Άμμος πέφτει από την όχθη;", "Οι ιτιές κρατούν το χώμα."],
        ["¿Por qué cede la orilla del río?", "¡Llueve mucho!", "Los sauces sujetan la tierra."],
        ["He said it gives way.", '"The bank is old," she answered.', "“Why is it so?”", "(It rained.)", "No."],
        ["The bank gave way (after rain).", "It bent.", 'He called it "old."', "We call it new."],
        ["ينحني النهر إلى اليسار.", "هل تنهار الضفة بعد المطر؟", "جذور الصفصاف تمسك التربة."],
        ["دریا بائیں مڑتا ہے۔", "بارش کے بعد کنارہ گر جاتا ہے۔", "جڑیں مٹی کو تھامتی ہیں۔"],
        ["नदी बाईं ओर मुड़ती है।", "बारिश के बाद किनारा टूटता है।", "जड़ें मिट्टी को पकड़ती हैं।"],
        ["הנהר פונה שמאלה.", "הגדה מתמוטטת אחרי הגשם.", "השורשים מחזיקים."],
        ["გდინარე უხვევს.", "ნაპირი იშლება.", "ფესვები იჭერს ნიადაგს NATO."],
        ["강은 왼쪽으로 굽는다.", "비가 온 뒤 둑이 무너진다.", "뿌리가 흙을 잡는다."],
        ["the river bends left.", "its bank gives way after rain!", "roots hold it."],
        ["Գետը թեքվում է։", "Ափը փլվում է։"],
        ["ወንዙ ይታጠፋል።", "ዳርቻው ይፈርሳል።"],
        ["It ended…", "It began 3 times.", "3 times it ended."],
    ],
)  # fmt: skip
def test_sentences_end_before_the_start_of_another_in_any_script(sentences):
    assert pairs.split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["河流向左弯曲。", "大雨之后河岸会塌陷！", "柳树的根固定土壤。"],
        ["川は左に曲がる。", "彼は「雨の後、岸が崩れる。」", "本当？！", "根が土を支える。"],
        ["你知道吗?", "河岸会塌陷!", "柳树的根固定土壤。"],
        ["មនុស្ស​ទាំងអស់​កើតមក។", "ពួកគេ​មាន​សិទ្ធិ។"],
    ],
)
def test_sentences_without_spaces_end_at_their_marks(sentences):
    assert pairs.split_sentences("".join(sentences)) == sentences


@pytest.mark.parametrize(
    "text",
    [
        "Reptiles, e.g. snakes, and approx. half of all birds (cf. the table) are below 3.5 m. or so, etc. and so on.",
        "Ein kurzer Satz, d. h. mit usw. und dgl. mehr",
        "ฉันชอบกินข้าวผัด แม่ชอบกินก๋วยเตี๋ยว",
        "It says 'none. ' and goes on",
        'def f():\n    """Do it. """\n    return 1',
        "河流向左弯曲。",
        "",
    ],
)
def test_what_ends_nowhere_is_one_sentence(text):
    assert pairs.split_sentences(text) == [text]


def test_a_sentence_without_spaces_is_measured_by_its_characters():
    long, short, more = "河流向左弯曲之后。", "下雨了。", "柳树的根固定了土壤。"
    assert made(Document("", long + short + more)) == [
        (long, f"{short} {more}", "d", "summary"), (more, f"{long} {short}", "d", "sentence")
    ]  # fmt: skip


def test_the_rest_is_every_sentence_but_the_anchor():
    found = pairs.make(corpora.unlabelled("sample"), ["summary", "sentence"], 99, 0)
    for anchor, positive, key, kind in found:
        document = corpora.unlabelled("sample")[key]
        rest = positive.removeprefix(f"{document.title} ") if kind == "sentence" else positive
        before, _, after = document.text.partition(anchor)
        assert rest == " ".join(part for part in (before.strip(), after.strip()) if part)
        assert anchor not in positive
    assert len(found) > 62 * 2


def test_a_sentence_that_is_there_twice_is_taken_out_at_its_place_only():
    assert set(made(Document("", f"{FIRST} {SECOND} {FIRST}"), ["sentence"])) == {
        (SECOND, f"{FIRST} {FIRST}", "d", "sentence"),
        (FIRST, f"{FIRST} {SECOND}", "d", "sentence"),
    }


def test_at_most_so_many_sentences_are_drawn_and_the_first_is_not_one():
    assert [len(pairs.make(MANY, ["sentence"], limit, 0)) for limit in (1, 3, 99)] == [1, 3, 11]
    assert "Sentence number 0 of a long text." not in {pair.anchor for pair in pairs.make(MANY, ["sentence"], 99, 0)}


@pytest.mark.parametrize(
    ("code", "comment", "rest"),
    [
        (
            'def f(x):\n    r"""Return x, but not\n    as it was.\n\n    More."""\n    return 2*x',
            "Return x, but not as it was.", 'def f(x):\n    r""" More."""\n    return 2*x',
        ),
        ("def f():\n  ''' Bend left at last '''\n  pass", "Bend left at last", "def f():\n  ''' '''\n  pass"),
        (
            "/**\n * Adds a river\n * to the map. Or two.\n * @param x y\n */\nint f() {}",
            "Adds a river to the map. Or two.", "/**\n * * @param x y\n */\nint f() {}",
        ),
        ("/* how it all began */ int g;", "how it all began", "/* */ int g;"),
        ("// Open the file,\n// and read it.\nfunc open() {}", "Open the file, and read it.", "// func open() {}"),
        ("#!/bin/sh\n# Open the file,\n# and read it.\nsh x", "Open the file, and read it.", "#!/bin/sh\n# sh x"),
        ("/* 河流向左弯曲之后 */ int g;", "河流向左弯曲之后", "/* */ int g;"),
    ],
)  # fmt: skip
def test_code_is_found_by_its_comment_and_has_no_sentences(code, comment, rest):
    assert made(Document("", code)) == [(comment, rest, "d", "comment")]
    assert made(Document("Title", code)) == [("Title", code, "d", "title"), (comment, f"Title {rest}", "d", "comment")]
    assert not {"comment", "span"} & {pair.kind for pair in made(Document("", code), ["summary", "sentence"])}


@pytest.mark.parametrize(
    "text",
    [
        '""""""',
        "x = 1 # how it all began",
        'f("""how it all began""")',
        "/* too short */ int g;",
        "#1 how it all began",
    ],
)
def test_what_says_too_little_or_begins_no_line_is_no_comment(text):
    assert made(Document("", text), ["comment"]) == []


CODE = "def bend(self, left=True):\n    return -self.angle if left else self.angle"
THAI, CHINESE = "แม่น้ำเลี้ยวซ้ายหลังฝนตก", "河流向左弯曲"


def test_spans_are_taken_of_what_gives_no_other_wanted_pair():
    every = {"river": RIVER, "line": Document("", "blue canvas shoes size 43"), "word": Document("", "shoes")}
    for kinds in (pairs.KINDS, ["span", "title"], ["sentence", "span"]):
        found = pairs.make(every, kinds, 5, 0)
        assert {pair.document for pair in found if pair.kind == "span"} == {"line"}
        assert {pair.document for pair in found if pair.kind != "span"} == {"river"}
    assert {pair.document for pair in pairs.make(every, ["span"], 5, 0)} == {"river", "line"}


@pytest.mark.parametrize(
    ("text", "units", "lengths"),
    [
        (CODE, str.split, {3, 4}),
        ("a b c d e f", str.split, {3}),
        ("blue canvas shoes", str.split, {1}),
        (CHINESE, list, {3}),
        (f"{CHINESE} USB {CHINESE}", lambda text: text.replace("USB", "u").replace(" ", ""), {3, 4, 5, 6}),
    ],
)
def test_a_span_is_three_words_to_half_of_the_text_and_the_rest_is_searched(text, units, lengths):
    found = made(Document("", text), ["span"], 300)
    assert {len(units(pair.anchor)) for pair in found} == lengths
    for anchor, positive, _, _ in found:
        before, after = next(
            (text[:start], text[start + len(anchor) :])
            for start in range(len(text))
            if text.startswith(anchor, start) and "".join((text[:start] + text[start + len(anchor) :]).split())
            == "".join(positive.split())
        )  # fmt: skip
        assert positive == f"{before.rstrip()} {after.lstrip()}".strip()


def test_a_span_never_parts_a_letter_from_its_marks():
    found = made(Document("", THAI), ["span"], 300)
    assert found
    for text in [part for pair in found for part in (pair.anchor, *pair.positive.split())]:
        assert unicodedata.category(text[0]) != "Mn"


@pytest.mark.parametrize("text", ["", "word", "河", "two-in-one"])
def test_a_text_of_one_word_has_no_span(text):
    assert made(Document("", text), ["span"]) == made(Document(text, ""), ["span"]) == []


def test_labelled_pairs_are_those_judged_relevant():
    texts = {"d1": Document("Rivers", "Water flows."), "d2": Document("", "Banks lend."), "d3": Document("", "Snow.")}
    corpus = Corpus("c", texts, {"q1": "water", "q2": "loan"}, {"q1": {"d1": 2, "d3": 0}, "q2": {"d2": 1, "d1": -1}})
    assert pairs.labelled(corpus) == [
        ("water", "Rivers Water flows.", "d1", "labelled"),
        ("loan", "Banks lend.", "d2", "labelled"),
    ]


@pytest.mark.parametrize(("count", "held"), [(50, 10), (62, 10), (100, 10), (200, 20), (6000, 500)])
def test_a_tenth_is_held_out_ten_at_least_and_500_at_most(count, held):
    every = documents(random_texts(count, words=6))
    found = pairs.hold_out(every, 0)
    assert len(found) == held
    assert found < set(every)


@pytest.mark.parametrize(
    "drawn",
    [
        lambda seed: [pair.anchor for pair in pairs.make(MANY, pairs.KINDS, 3, seed)],
        lambda seed: [pair.anchor for pair in pairs.make(MANY, ["span"], 3, seed)],
        lambda seed: pairs.hold_out(corpora.unlabelled("sample"), seed),
    ],
    ids=["sentences", "spans", "held out"],
)
def test_the_seed_decides_what_is_drawn(drawn):
    assert drawn(0) == drawn(0) != drawn(1)


@pytest.mark.parametrize(
    ("originals", "more"),
    [
        (random_texts(60), " and a few words more"),
        ([f"靴 {chr(0x4E00 + number)}{chr(0x5E00 + number)}" for number in range(60)], ""),
    ],
    ids=["near", "short and equal"],
)
def test_near_duplicates_stay_on_one_side(originals, more):
    every = documents([*originals, *(f"{text}{more}" for text in originals)])
    for seed in range(5):
        held = pairs.hold_out(every, seed)
        assert 12 <= len(held) <= 13
        assert all((f"d{number}" in held) == (f"d{number + 60}" in held) for number in range(60))


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (random_texts(49), "49 documents are too few to train on: give 50 or more"),
        (random_texts(1) * 60, "nearly all of the 60 documents say the same"),
        (random_texts(1) * 600, "nearly all of the 600 documents say the same"),
    ],
    ids=["too few", "alike", "many alike"],
)
def test_documents_of_which_none_can_be_held_out_are_refused(texts, complaint):
    with pytest.raises(WorkbookError, match=complaint):
        pairs.hold_out(documents(texts), 0)


def test_a_large_group_of_near_duplicates_is_not_held_out():
    every = documents(random_texts(70) + random_texts(1, seed=1) * 30)
    for seed in range(10):
        held = pairs.hold_out(every, seed)
        assert len(held) == 10
        assert held <= {f"d{number}" for number in range(70)}


def test_so_many_documents_are_drawn_by_seed_in_their_order():
    documents = {f"d{n}": Document("", f"text {n}") for n in range(50)}
    some = pairs.drawn(documents, 20, 0)
    assert list(some) == [name for name in documents if name in some] and len(some) == 20
    assert pairs.drawn(documents, 20, 0) == some != pairs.drawn(documents, 20, 1)
    assert pairs.drawn(documents, 0, 0) == pairs.drawn(documents, 50, 0) == pairs.drawn(documents, 99, 0) == documents
