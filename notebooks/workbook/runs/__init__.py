"""The plan, its runner, and the report of a run."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
