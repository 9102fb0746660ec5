"""Near-duplicates: which texts are put into one group, and which only look as if they belonged there."""

import tracemalloc

import numpy as np
import pytest
from workbook.corpora import near_duplicates

WORDS = [f"w{number}" for number in range(40)]
OTHERS = [f"v{number}" for number in range(40)]


def text(start, end, more=0):
    """Words from `start` to `end`, then `more` words of no other text."""
    return " ".join(WORDS[start:end] + OTHERS[start : start + more])


def together(*texts):
    """Texts by group: [[0, 1], [2]] if the first two are near-duplicates."""
    numbers = near_duplicates.groups(texts)
    assert numbers.shape == (len(texts),)
    found = [np.flatnonzero(numbers == number).tolist() for number in set(numbers.tolist())]
    return sorted(found)


TOLD = "The river bank gives way after rain."
IDEOGRAPHS = "".join(chr(0x4E00 + number * 7) for number in range(300))


@pytest.mark.parametrize(
    ("texts", "grouped"),
    [
        ([TOLD, "Snow is cold and white in January.", TOLD, "the river -- bank, gives way after RAIN"],
         [[0, 2, 3], [1]]),
        ([text(0, 12), text(12, 24), text(24, 36)], [[0], [1], [2]]),
        ([" ".join(WORDS), " ".join(WORDS[::-1])], [[0], [1]]),  # the same words in another order
        # 16 words are 12 shingles of 5; 12 words in common are 8 of them, of 12 + 12 - 8 = 16 in all; 11 are 7 of 17
        ([text(0, 16), text(0, 12, more=4)], [[0, 1]]),
        ([text(0, 16), text(0, 11, more=5)], [[0], [1]]),
        ([text(0, 10), text(0, 40)], [[0], [1]]),  # one is repeated in another that is much longer
        ([text(0, 16), text(8, 24)], [[0], [1]]),
        ([text(0, 16), text(8, 24), text(4, 20)], [[0, 1, 2]]),  # two are near by way of the third
        ([IDEOGRAPHS, IDEOGRAPHS[:250] + IDEOGRAPHS[:50], IDEOGRAPHS[::-1]], [[0, 1], [2]]),
    ],
)  # fmt: skip
def test_texts_with_half_of_their_shingles_in_common_are_one_group(texts, grouped):
    assert together(*texts) == grouped


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bank account", "bank account"),
        ("bank account", "Bank  account!"),
        ("to be", "TO\tBE"),
        ("42", "42"),
        ("😀", "😀"),
        ("?!", "?!"),
        ("赤い靴", "赤い靴"),
        ("caf\u00e9", "cafe\u0301"),
        ("\ufb01le \u2116\uff15", "file No5"),
        ("STRASSE", "straße"),
        ("data\u200bbase", "data\u00adbase"),
        ("❤\ufe0f", "❤"),
        ("Wi-Fi", "wi fi"),
    ],
)
def test_short_texts_are_one_group_if_they_are_equal_in_all_but_form(one, other):
    assert together(one, "something else", other) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the accommodation in Berlin was clean and quiet", "the accomodation in Berlin was clean and quiet"),
        ("河流的左岸在大雨之后塌陷了因为柳树的根已经腐烂", "河流的右岸在大雨之后塌陷了因为柳树的根已经腐烂"),
        ("ฉันชอบกินข้าวผัดกับไข่ดาวทุกเช้าที่บ้านของแม่", "ฉันชอบกินข้าวผัดกับไข่ดาวทุกเช้าที่บ้านของแม่ครับ"),
    ],
    ids=["a letter", "ideographs", "Thai"],
)
def test_short_texts_are_near_if_hardly_a_character_differs(one, other):
    assert together(one, other) == [[0, 1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("red shoes size 42", "red shoes size 43"),
        ("how do I reset it", "how can I delete it"),
        ("a", "b"),
        ("😀", "😢"),
        ("赤い靴", "青い靴"),
        ("bank account", "account bank"),
        ("दिन", "दान"),
        ("我喜欢在早上喝咖啡", "他们昨天晚上去了电影院"),
    ],
)
def test_short_texts_that_say_something_else_are_not_near(one, other):
    assert together(one, other) == [[0], [1]]


@pytest.mark.parametrize("nothing", ["", " \n", "\u200b", "\ufeff"])
def test_texts_of_nothing_are_groups_of_their_own(nothing):
    assert together("", "bank", nothing, "bank") == [[0], [1, 3], [2]]


def test_no_texts_are_no_groups():
    assert near_duplicates.groups([]).shape == (0,)


def test_what_many_texts_have_in_common_needs_no_square_of_them():
    """Every text has a shingle of all: compared each with each they would be 9 million pairs, of 12 bytes each."""
    random = np.random.default_rng(0)
    texts = [f"{text(0, 5)} {' '.join(map(str, random.integers(0, 10**9, 20)))}" for _ in range(3_000)]
    tracemalloc.start()
    numbers = near_duplicates.groups([*texts, texts[7]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert numbers[7] == numbers[-1] and len(set(numbers.tolist())) == 3_000
    assert peak < 60e6
