"""Embedding models: which there are, where their files come from, and texts to vectors."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
