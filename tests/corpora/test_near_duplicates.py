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


def test_identical_texts_are_one_group_whatever_their_case_and_punctuation():
    told = "The river bank gives way after rain."
    assert together(told, "Snow is cold and white in January.", told, "the river -- bank, gives way after RAIN") == [
        [0, 2, 3],
        [1],
    ]


def test_unrelated_texts_are_groups_of_their_own():
    assert together(text(0, 12), text(12, 24), text(24, 36)) == [[0], [1], [2]]


def test_the_same_words_in_another_order_say_something_else():
    assert together(" ".join(WORDS), " ".join(WORDS[::-1])) == [[0], [1]]


def test_half_of_the_shingles_in_common_is_near_and_less_is_not():
    # 16 words are 12 shingles of 5; 12 words in common are 8 of them, of 12 + 12 - 8 = 16 in all; 11 are 7 of 17
    assert together(text(0, 16), text(0, 12, more=4)) == [[0, 1]]
    assert together(text(0, 16), text(0, 11, more=5)) == [[0], [1]]


def test_a_text_repeated_in_a_much_longer_one_is_not_near():
    assert together(text(0, 10), text(0, 40)) == [[0], [1]]


def test_texts_are_near_by_way_of_another():
    first, middle, last = text(0, 16), text(4, 20), text(8, 24)
    assert together(first, last) == [[0], [1]]
    assert together(first, last, middle) == [[0, 1, 2]]


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


def test_long_texts_without_spaces_are_compared_by_their_characters():
    told = "".join(chr(0x4E00 + number * 7) for number in range(300))
    assert together(told, told[:250] + told[:50], told[::-1]) == [[0, 1], [2]]


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
