"""Bringing the table `claim` of an earlier version along while it is used."""
