"""Crash points: a process that writes is killed right before and right after each of its writes, and resumes.

`docs/crash-points.md` describes what is covered and how to run it.
"""
