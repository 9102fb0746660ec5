"""The one exception for what a user can put right."""

LONGEST = 2_000  # characters: what is wrong may be a value of megabytes


def one_line(text: str) -> str:
    """The text in one line that can be printed: what cannot stands as its escape."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class WorkbookError(Exception):
    """Something the user gave, or the machine lacks, stops the work; the message is one line that says what to do.

    It is one line whatever it quotes: what is not printed stands as its escape, and a long middle is left out.
    """

    def __init__(self, message: str):
        line = one_line(message)
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}")
