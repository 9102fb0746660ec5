"""From the rows of a run to verdicts, advice and forecasts."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
