"""The one exception for what a user can put right."""


class WorkbookError(Exception):
    """Something the user gave, or the machine lacks, stops the work; the message is one line that says what to do."""
