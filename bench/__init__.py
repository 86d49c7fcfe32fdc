"""Benchmarks: `python -m bench`. See docs/benchmarks.md for what each measures."""
