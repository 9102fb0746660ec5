"""Scores, their intervals, times, and the records and rows that keep them."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
