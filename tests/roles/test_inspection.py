"""The rights that `perdure doctor` expects are those that `grants.sql` grants."""

from __future__ import annotations

from storage.postgres.inspection import wanted_rights
from tests.roles.matrix import LETTERS, MATRIX, ROLE_COLUMN


def test_the_rights_that_are_expected_are_those_of_the_matrix() -> None:
    expected = {
        (role, table, LETTERS[letter])
        for table, letters in MATRIX.items()
        for role, column in ROLE_COLUMN.items()
        for letter in letters[column]
        if letter != "-"
    }
    assert {(right.role, right.table_name, right.verb) for right in wanted_rights()} == expected
