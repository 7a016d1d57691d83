"""The list of mutants fits today's code."""

from tests.mutants.__main__ import faults, listed


def test_each_mutant_s_text_stands_once_in_the_code():
    assert len(listed()) > 150
    assert faults(listed()) == []
