"""The measurements: one file for each, from a corpus and a model to rows."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
