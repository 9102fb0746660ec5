"""What a figure says: its title, its caption, and what is written into one of its axes."""

from matplotlib.text import Text


def title_of(figure):
    return figure.get_suptitle().replace("\n", " ")


def caption_of(figure):
    return " ".join(text.get_text() for text in figure.texts if text is not figure._suptitle).replace("\n", " ")


def texts_of(axis):
    return [text.get_text() for text in axis.texts]


def overlapping(figure, axis):
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in axis.texts]  # that of an annotation has its line in it
    return [(one, other) for place, one in enumerate(boxes) for other in boxes[:place] if one.overlaps(other)]
