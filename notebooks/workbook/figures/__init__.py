"""From rows to tables and pictures."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
