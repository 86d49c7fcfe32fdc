"""Crash points: a process that writes is killed right before and right after each of its writes, and goes on.

`docs/crash-points.md` says what is covered and how it is run.
"""
