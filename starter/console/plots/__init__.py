"""Plots: made by Altair, rendered to SVG in this process, in the colours of the page's theme."""
