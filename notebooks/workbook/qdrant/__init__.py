"""Qdrant: its quantization settings, its engines, and collections and shards that exist already."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
