"""Accounts: who pays, and when they can be charged."""
