"""The nodes of the stand-in: where copies of shards are, and what cannot be reached once a node is gone."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter

from standin_rules import Refused


class Cluster:
    """Nodes from 1, which answers, to `nodes`; all have the same points in memory, so a node is only a number."""

    def __init__(self):
        self.nodes = 1
        self.lose_after: int | None = None  # requests until the last node is gone
        self.lost: int | None = None  # the node that is gone; None again: it is back
        self._configs: dict[str, dict] = {}  # of collections, as asked for

    def shards(self, name: str, ids: list) -> dict:
        """The shards of a collection that has these ids; those on the first node are local.

        A lost copy is dead, unless it was the only one: the last active one stays so.
        """
        copies = self._copies(name)
        counts = Counter(_shard(point, len(copies)) for point in ids)
        return {
            "peer_id": 1,
            "shard_count": len(copies),
            "local_shards": [
                {"shard_id": shard, "points_count": counts[shard], "state": "Active"}
                for shard, nodes in enumerate(copies)
                if 1 in nodes
            ],
            "remote_shards": [
                {"shard_id": shard, "peer_id": node, "state": "Dead" if {node} == {self.lost} < {*nodes} else "Active"}
                for shard, nodes in enumerate(copies)
                for node in nodes
                if node != 1
            ],
            "shard_transfers": [],
        }

    def peers(self, _: dict) -> dict:
        """What /cluster tells."""
        if self.nodes == 1:
            return {"status": "disabled"}
        lost = {"count": 3, "latest_error": "transport error", "latest_error_timestamp": "2025-01-01T00:00:00Z"}
        return {
            "status": "enabled",
            "peer_id": 1,
            "peers": {str(node): {"uri": _uri(node)} for node in range(1, self.nodes + 1)},
            "raft_info": {
                "term": 1, "commit": 1, "pending_operations": 0, "leader": 1, "role": "Leader", "is_voter": True
            },
            "consensus_thread_status": {"consensus_thread_status": "working", "last_update": "2025-01-01T00:00:00Z"},
            "message_send_failures": {_uri(self.lost): lost} if self.lost else {},
        }  # fmt: skip

    def _count_down(self) -> None:
        """One request less until the last node is gone."""
        if self.lose_after is not None:
            self.lose_after -= 1
            if self.lose_after < 0:
                self.lose_after, self.lost = None, self.nodes

    def _copies(self, name: str) -> list[list[int]]:
        """The nodes of each shard's copies: as many as asked for and there are nodes for, round robin."""
        own = self._configs[name]
        nodes = itertools.cycle(range(1, self.nodes + 1))
        copies = min(own.get("replication_factor") or 1, self.nodes)
        return [list(itertools.islice(nodes, copies)) for _ in range(own.get("shard_number") or self.nodes)]

    def _reach(self, name: str, written: list | None = None) -> None:
        """Raise Refused unless enough copies can be read, all shards', or written, those of these ids."""
        if not self.lost or name not in self._configs:
            return
        copies = self._copies(name)
        factor = 1 if written is None else self._configs[name].get("write_consistency_factor") or 1
        shards = range(len(copies)) if written is None else {_shard(point, len(copies)) for point in written}
        if all(len({*copies[shard]} - {self.lost}) >= min(factor, len(copies[shard])) for shard in shards):
            return
        away = f'status: Unavailable, message: "Failed to connect to {_uri(self.lost)}, error: transport error"'
        failed = "1 of 1 read operations failed:\n  Service internal error: " if written is None else ""
        raise Refused(500, f"Service internal error: {failed}Tonic status error: {away}")


def _shard(point: int | str, shards: int) -> int:
    return (point if isinstance(point, int) else zlib.crc32(point.encode())) % shards


def _uri(node: int) -> str:
    return f"http://127.0.0.1:{6325 + 10 * node}/"
