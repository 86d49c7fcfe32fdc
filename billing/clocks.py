"""How far two clocks differ for certain, from readings that each happened within an interval."""

from __future__ import annotations


def ahead(theirs: tuple[float, float], ours: tuple[float, float]) -> float:
    """Return by how many seconds their clock is ahead of ours at least, negative if behind, 0 if it may be right.

    Args:
        theirs: their reading, and the latest that it can stand for: a reading in whole seconds lasts a second.
        ours: our readings before they were asked and after they have answered.
    """
    if theirs[0] > ours[1]:
        return theirs[0] - ours[1]
    return min(theirs[1] - ours[0], 0.0)
