"""What a collection's strict mode lets one request hold, and what it forbids that a measurement needs.

Qdrant's limiters count by shard and minute. Reads: a search, a page or a count is one, and one more for each condition
of its filter; a point that is asked for by `retrieve` is one, so that points are read in pages instead. Writes: a point
is one. A request of more than a whole minute's is refused for good, any other one until there is room again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from workbook.errors import WorkbookError

SHARE = 4  # one request takes a quarter of a minute's reads or writes at most: others want to read and write, too
CONDITIONS = 1  # the most that a filter of ours has
NEW = "the strict mode that this server gives to new collections"
CHANGE_IT = "change storage.collection.strict_mode in the server's configuration, or ask for less"


@dataclass(frozen=True)
class StrictMode:
    """`told`: the settings that hold, by their names in `strict_mode_config`; {} where it is switched off."""

    told: Mapping[str, Any]

    @classmethod
    def of(cls, info: models.CollectionInfo) -> "StrictMode":
        """The strict mode of a collection, which has the server's own where it was made without one."""
        config = info.config.strict_mode_config
        return cls(config.model_dump(exclude_none=True) if config and config.enabled else {})

    def page(self, most: int) -> int:
        """Points of one page."""
        return min(most, self.told.get("max_query_limit", most))

    def listed(self, most: int) -> int:
        """Ids that a filter lists, and points of a page of these."""
        return min(self.page(most), self.told.get("condition_max_size", most))

    def queries(self, most: int, conditions: int = 0) -> int:
        """Queries of one batch, each with so many conditions or prefetches."""
        most = min(most, self.told.get("search_max_batchsize", most))
        return self._within_a_minute("read_rate_limit", most, cost=1 + conditions)

    def points(self, most: int) -> int:
        """Points that are written at once."""
        return self._within_a_minute("write_rate_limit", min(most, self.told.get("upsert_max_batchsize", most)))

    def check(self, needed: Mapping[str, float], what: str, advice: str) -> None:
        """Raise WorkbookError, beginning with `what` and ending in `advice`, if it allows less than what is needed."""
        short = [
            f"{name} is {json.dumps(self.told[name])}, needed is {'true' if least is True else f'{least} or more'}"
            for name, least in needed.items()
            if name in self.told and self.told[name] < least
        ]
        if short:
            raise WorkbookError(f"{what} forbids what is measured: in strict_mode_config {'; '.join(short)}: {advice}")

    def _within_a_minute(self, name: str, most: int, cost: int = 1) -> int:
        """How many, `most` at most, take a SHARE of a minute's limit; the least is 1."""
        return max(1, min(most, self.told[name] // SHARE // cost)) if name in self.told else most
