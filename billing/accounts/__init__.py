"""Accounts: who pays, and when they may be charged."""
