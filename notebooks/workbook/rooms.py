"""Rooms open their modules by name: `from workbook import corpora` gives `corpora.beir_sets` and `corpora.load`."""

from collections.abc import Callable
from importlib import import_module, util


def opener(room: str) -> Callable[[str], object]:
    """Give a room's `__getattr__`: a module of it, imported when first named, or a name of the module called as it is.

    Modules are not imported with the room: some take seconds, and what starts cold must import no more than it uses.
    """

    def opened(name: str) -> object:
        if not name.startswith("_"):
            if util.find_spec(f"{room}.{name}"):
                return import_module(f"{room}.{name}")
            own = f"{room}.{room.rpartition('.')[2]}"
            if util.find_spec(own):
                return getattr(import_module(own), name)
        raise AttributeError(f"{room} has no module {name}")

    return opened
