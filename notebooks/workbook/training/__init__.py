"""Train a static model on documents, and measure what was trained."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
