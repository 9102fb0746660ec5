"""Rooms open their modules by name: after `from workbook import corpora`, `corpora.near_duplicates` is there."""

from collections.abc import Callable
from importlib import import_module, util
from types import ModuleType


def opener(room: str) -> Callable[[str], ModuleType]:
    """Give a room's `__getattr__`, which imports a module of it when it is first named.

    Not all of them when the room is: some take seconds, and a process that starts cold must import no more than it
    uses.
    """

    def open_module(name: str) -> ModuleType:
        if name.startswith("_") or util.find_spec(f"{room}.{name}") is None:
            raise AttributeError(f"{room} has no module {name}")
        return import_module(f"{room}.{name}")

    return open_module
