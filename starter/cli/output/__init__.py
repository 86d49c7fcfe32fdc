"""Everything that the commands print: text, lists, tables, JSON, progress, questions, and instants for people."""

from starter.cli.output.asking import ask, can_ask
from starter.cli.output.columns import Column, account_name, amount, instant, state, style_of
from starter.cli.output.console import complain, is_terminal, remark, say, say_link
from starter.cli.output.documents import print_json, print_json_list, print_json_with_list
from starter.cli.output.lists import Form, View, listing, view
from starter.cli.output.progressing import progress, progress_when_slow, shows_progress
from starter.cli.output.spreadsheets import refuse_terminal
from starter.cli.output.tables import add_row, make_table, print_table
from starter.words.times import ago, clock, hours, json_instant, when, when_and_ago

__all__ = [
    "Column",
    "Form",
    "View",
    "account_name",
    "add_row",
    "ago",
    "amount",
    "ask",
    "can_ask",
    "clock",
    "complain",
    "hours",
    "instant",
    "is_terminal",
    "json_instant",
    "listing",
    "make_table",
    "print_json",
    "print_json_list",
    "print_json_with_list",
    "print_table",
    "progress",
    "progress_when_slow",
    "refuse_terminal",
    "remark",
    "say",
    "say_link",
    "shows_progress",
    "state",
    "style_of",
    "view",
    "when",
    "when_and_ago",
]
