"""How a refused row is recorded: nothing is lost, everything has a reason."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from dt2it_ray.data.schema import DROPPED, DropReason

ASKED_AGAIN = frozenset({DropReason.ENDPOINT_FAILED})
"""Reasons that are a server's fault and may pass."""


@dataclass(frozen=True)
class Dropped:
    """Why a row cannot go on: a reason that can be counted, what was wrong, and the raw text it was found in."""

    reason: DropReason
    detail: str
    evidence: str = ""

    def row(self, key: str) -> dict[str, str]:
        """The row of a `dropped` table for the refused row `key`."""
        return {"key": key, "reason": str(self.reason), "detail": self.detail, "evidence": self.evidence}


def dropped_table(rows: Iterable[dict[str, str]] = ()) -> pa.Table:
    """A table of refused rows, sorted by key, then reason."""
    table = pa.Table.from_pylist(list(rows), schema=DROPPED)
    return table.sort_by([("key", "ascending"), ("reason", "ascending")])
