"""Strategies by their names, as commands read them."""

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import strategies
from ipd_theory.strategies import naming

AXELROD = ipd.games.axelrod()


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("TFT", [1, 1, 0, 1, 0]),
        ("tit-for-tat", [1, 1, 0, 1, 0]),
        (" Tit_For Tat ", [1, 1, 0, 1, 0]),
        ("pavlov", [1, 1, 0, 0, 1]),
        ("gtft(0.3)", [1, 1, 0.3, 1, 0.3]),
        ("GTFT", [1, 1, 1 / 3, 1, 1 / 3]),
        ("random(p=1/4)", [0.25] * 5),
        ("reactive(0, 1, 2/3)", [0, 1, 2 / 3, 1, 2 / 3]),
        ("memory-one(1,0,1,0,1)", [1, 0, 1, 0, 1]),
        ("1,1,0,1,1/3", [1, 1, 0, 1, 1 / 3]),
        (" 1, 1, .5, 1e-3, 0 ", [1, 1, 0.5, 1e-3, 0]),
        ("1/4", [0.25]),
    ],
)
def test_names_and_entries(text, table):
    np.testing.assert_array_equal(strategies.named(text), table)


def test_memory_two_has_names_and_entries():
    np.testing.assert_array_equal(strategies.named("tf2t"), strategies.tit_for_two_tats())
    np.testing.assert_array_equal(strategies.named("2TFT"), strategies.two_tits_for_tat())
    np.testing.assert_array_equal(strategies.named("aon3"), strategies.all_or_none(3))
    responses = np.array([1.0, 0.5, 0.25, 0.0])
    for name in ("reactive_n", "self_reactive_n", "counting_n"):
        np.testing.assert_array_equal(strategies.named(f"{name}(1, 1/2, .25, 0)"), getattr(strategies, name)(responses))
    np.testing.assert_array_equal(strategies.named(",".join(["1"] * 21)), np.ones(21))


@pytest.mark.parametrize(
    ("text", "table"),
    [  # start apart, Stewart & Plotkin 2012, table 1, and Press & Dyson 2012
        ("extort(2)", [0, 8 / 9, 1 / 2, 1 / 3, 0]),
        ("ZD-Extort-3", [0, 11 / 13, 1 / 2, 7 / 26, 0]),
        ("extort(3, 1/26)", [0, 11 / 13, 1 / 2, 7 / 26, 0]),
        ("ZDGTFT-2", [1, 1, 1 / 8, 1, 1 / 4]),
        ("generous(chi=2, phi=1/8)", [1, 1, 1 / 8, 1, 1 / 4]),
        ("equalizer(2, 1/4)", [1, 3 / 4, 1 / 4, 1 / 2, 1 / 4]),
        ("linear(1, 1, 1/5)", [0, 1, 0, 1, 0]),
    ],
)
def test_zero_determinant_strategies_as_published(text, table):
    np.testing.assert_allclose(strategies.named(text, game=AXELROD), table, atol=1e-15)


def test_zero_determinant_names_enforce_their_line_below_one():
    for text in ("extort(3)", "generous(2)", "equalizer(2)"):
        table = strategies.named(text, game=AXELROD, discount=0.9)
        others = np.random.default_rng(0).random((20, 5))
        one, two = np.moveaxis(np.asarray(ipd.expected_returns(AXELROD, table, others, discount=0.9)), -1, 0)
        error = {"extort(3)": one - 1 - 3 * (two - 1), "generous(2)": one - 3 - 2 * (two - 3), "equalizer(2)": two - 2}
        np.testing.assert_allclose(error[text], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tif",
            r"'tif' is not known; did you mean TFT\? .* a file .* ALLC, .*GTFT\(q\?\).*\(r…\), EXTORT\(chi, phi\?\)",
        ),
        ("wslx", "'wslx' is not known; did you mean WSLS[?] Give all entries"),
        ("tit-for-tatt", "did you mean TFT[?]"),
        ("", "'' is not known; give"),
        ("gtft(0.3", "is not known"),
        ("tft(1)", r"'tft\(1\)': too many positional arguments; write TFT, "),
        ("extort", r"'extort': missing a required argument: 'chi'; write EXTORT\(chi, phi\?\)"),
        ("extort(0.5)", r"'extort\(0.5\)': chi must be one finite number at least 1; got 0.5"),
        ("gtft(x)", "holds 'x', which is not a number"),
        ("gtft(1/0)", "holds '1/0', which is not a number"),
        ("gtft(nan)", "holds 'nan', which is not a number"),
        ("gtft(1.5)", r"'gtft\(1.5\)': q holds 1.5; every entry must lie in \[0, 1\]"),
        ("aon(4)", r"'aon\(4\)': k must be a whole number, from 1 to 3; got 4"),
        ("aon(3/2)", r"'aon\(3/2\)': k must be 1, 2 or 3; got 1.5"),
        ("counting_n(1)", r"r has shape \(1,\); its last axis must be one of \(2, 3, 4\)"),
        ("random(q=1)", r"write RANDOM\(p\?\)"),
        ("1,1,0,1", r"has 4 entries; it must have one of 1 \(memory 0\), 5 \(memory 1\), 21"),
        ("1,1,0,1,1.7", r"holds 1.7; every entry must lie in \[0, 1\]"),
        ("1,1,,1,1", "holds '', which is not a number"),
    ],
)
def test_what_is_no_strategy_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        strategies.named(text, game=AXELROD)


def test_a_zero_determinant_strategy_needs_a_game():
    with pytest.raises(ValueError, match=r"'extort\(3\)' is a zero-determinant strategy, which needs a game"):
        strategies.named("extort(3)")


def test_every_name_is_read_short_and_in_full():
    for label, make in naming.TABLES.items():
        if label not in ("REACTIVE", "MEMORY_ONE", "REACTIVE_N", "SELF_REACTIVE_N", "COUNTING_N"):
            for text in (label, label.lower(), make.__name__, make.__name__.replace("_", "-")):
                np.testing.assert_array_equal(strategies.named(text), make())
