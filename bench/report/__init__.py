"""The page of figures, made from what `python -m bench --json` saved."""
