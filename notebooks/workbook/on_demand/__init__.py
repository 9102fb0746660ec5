"""Attention on demand: which queries are asked again with the transformer, and what that buys and costs."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
