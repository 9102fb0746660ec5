"""Near-duplicates: which texts are put into one group, and which only look as if they belonged there."""

import numpy as np
from workbook import near_duplicates

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


def test_texts_shorter_than_a_shingle_are_not_grouped():
    assert together("", "", "bank account", "bank account", "...", text(0, 5), text(0, 5)) == [
        [0],
        [1],
        [2],
        [3],
        [4],
        [5, 6],
    ]
