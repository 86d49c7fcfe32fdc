"""`python -m devstack.stripe_emulator`, the emulator's former command: an alias of `python -m stripe_emulator`."""

from __future__ import annotations

import runpy

if __name__ == "__main__":
    runpy.run_module("stripe_emulator", run_name="__main__", alter_sys=True)
