"""The months that most tests bill."""

from __future__ import annotations

MAY, JUNE = "2022-05", "2022-06"
