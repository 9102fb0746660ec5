"""Live search in JupyterLab: several ways side by side."""

from workbook.rooms import opener

__getattr__ = opener(__name__)
