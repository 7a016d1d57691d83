"""The ledger of published quantities: its verdicts, what it keeps, and that page, README and record are in step."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipd_theory import cli
from paper_figures import run
from paper_figures.published import ledger
from paper_figures.published.ledger import Measured
from paper_figures.published.of_learned import over_pairs
from paper_figures.published.rows import Number, Row, Statement, Work

ROOT = Path(__file__).parents[1]
RECORDED = ledger.read(ledger.RECORDED, full=False)


def row(published: Number | Statement, **more: Any) -> Row:
    return Row("somebody", "something", published, lambda work: Number(1.0), "f", "none", **more)


@pytest.mark.parametrize(
    ("one", "ours", "verdict"),
    [
        (row(Number(1.0)), Number(1.0 + 9e-10), "agrees"),
        (row(Number(1.0)), Number(1.0 + 2e-9), "differs"),
        (row(Number(1.0, 0.1)), Number(1.34), "agrees"),
        (row(Number(1.0, 0.1)), Number(1.36), "differs"),
        (row(Number(1.0, 0.3)), Number(2.7, 0.4), "agrees"),  # 3.5 · hypot(0.3, 0.4) = 1.75
        (row(Number(1.0), rounding=0.05), Number(1.049), "agrees"),
        (row(Number(1.0), small=True), Number(2.0), "not at this scale"),
        (row(Number(1.0), too_small=True), Number(1.0), "not at this scale"),  # however near it comes
        (row(Number(1.0), telling=0.1), Number(1.0, 0.2), "not at this scale"),  # any number would agree
        (row(Statement("high", 0.5)), Number(0.5), "agrees"),
        (row(Statement("high", 0.5)), Number(0.49), "differs"),
        (row(Statement("low", high=0.5)), Number(0.51), "differs"),
    ],
)
def test_verdicts(one: Row, ours: Number, verdict: str) -> None:
    assert one.verdict(ours) == verdict


def test_at_full_size_what_is_off_differs() -> None:
    assert row(Number(1.0), small=True).verdict(Number(2.0), full=True) == "differs"
    assert row(Number(1.0), too_small=True).verdict(Number(1.0), full=True) == "agrees"


def test_rows_are_kept_one_by_one_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def measured(name: str, value: float) -> Row:
        def ours(work: Work) -> Number:
            asked.append(name)
            if name == "c" and asked.count("c") == 1:
                raise KeyboardInterrupt
            return Number(value)

        return Row("somebody", name, Number(1.0), ours, "f", "none")

    rows = tuple(measured(name, value) for name, value in (("a", 1.0), ("b", 2.0), ("c", 1.0)))
    monkeypatch.setattr(ledger, "ROWS", rows)
    kept = tmp_path / "kept.json"
    with pytest.raises(KeyboardInterrupt):
        ledger.measure(rows, Work(False, tmp_path), kept)
    found = ledger.measure(rows, Work(False, tmp_path), kept)
    assert asked == ["a", "b", "c", "c"]
    assert [entry.verdict for entry in found.values()] == ["agrees", "differs", "agrees"]
    assert ledger.drifted(found, found) == []
    assert ledger.drifted(found, {**found, "somebody: b": Measured(1.0, 0.0, "agrees", 0.0)}) == [
        "somebody: b: differs, recorded: agrees"
    ]
    kept.write_text(kept.read_text()[:50])  # cut off
    assert ledger.read(kept, full=False) == {}
    with pytest.raises(FloatingPointError, match="somebody: d"):
        ledger.measure([measured("d", math.nan)], Work(False, tmp_path), kept)


@pytest.mark.parametrize("with_itself", [True, False])
def test_the_error_by_leaving_out_one_agent_is_that_of_the_mean_where_an_agent_earns_the_same_from_all(
    rng: np.random.Generator, with_itself: bool
) -> None:
    each = rng.normal(size=7)
    found = over_pairs(np.broadcast_to(each[:, None], (7, 7)), with_itself)
    np.testing.assert_allclose(found, (each.mean(), each.std(ddof=1) / np.sqrt(7)), rtol=1e-12)


def test_agents_that_do_not_meet_themselves_do_not_count_what_they_would_earn() -> None:
    assert over_pairs(np.array([[9.0, 1.0, 1.0], [1.0, 9.0, 1.0], [1.0, 1.0, 9.0]]), False) == (1.0, 0.0)


def test_every_row_is_recorded_has_its_own_name_and_a_reason_where_it_does_not_agree() -> None:
    names = [one.name for one in ledger.ROWS]
    assert len(set(names)) == len(names)
    assert list(RECORDED) == names
    for one in ledger.ROWS:
        entry = RECORDED[one.name]
        assert one.verdict(entry.ours) == entry.verdict
        assert one.reason or entry.verdict == "agrees"


def test_a_figure_that_departs_from_what_was_published_says_so_on_its_picture() -> None:
    departing = {one.made_by for one in ledger.ROWS if RECORDED[one.name].verdict != "agrees"}
    figures = {name.removeprefix("figure ") for name in departing if name.startswith("figure ")}
    assert {"3B", "4C", "6", "7"} <= figures
    for name in figures:
        about = run.module_of(name).ABOUT
        assert about.remark_on("quick", 0), name  # which `run.draw` writes below the picture


def test_page_and_readme_are_in_step_with_the_record() -> None:
    assert (ROOT / "docs" / "published.md").read_text() == ledger.page(RECORDED)
    assert ledger.counts(RECORDED) in " ".join((ROOT / "README.md").read_text().split())


def test_the_command_measures_draws_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["reproduce", "Knight", "neutral", "--out", str(tmp_path)]
    cli.main(asked)
    printed = capsys.readouterr().out
    assert "Knight et al. 2024" in printed
    assert "7 published quantities: 7 agree" in printed
    assert printed.count("zero_determinant.fit; payoffs 3, 0, 5, 1") == 6  # function and settings of each row
    assert (tmp_path / "reproduced-quick.png").stat().st_size > 5000
    cli.main([*asked, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["drifted"] == []
    of_all_c = said["rows"]["Knight et al. 2024: squared distance of ALLC to extortion"]
    assert of_all_c["published"] == {"value": 21 / 17, "error": 0.0}
    assert of_all_c["difference"] == of_all_c["value"] - 21 / 17
    assert (of_all_c["made_by"], of_all_c["verdict"]) == ("zero_determinant.fit", "agrees")
    off = {**RECORDED, "Nowak et al. 2004: fixation of a neutral mutant, N 50": Measured(0.0, 0.0, "differs", 0.0)}
    ledger.write(tmp_path / "other.json", off, full=False)
    monkeypatch.setattr(ledger, "RECORDED", tmp_path / "other.json")
    with pytest.raises(SystemExit) as end:
        cli.main(asked)
    assert end.value.code == 1
    assert "drifted: Nowak et al. 2004" in capsys.readouterr().err


def test_what_no_row_holds_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["reproduce", "nobody 1999"])
    assert end.value.code == 2
    assert "'nobody 1999'" in capsys.readouterr().err
