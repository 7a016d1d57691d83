"""What is nearly a name on the command line is answered with that name."""

import pytest

from ipd_theory import cli


@pytest.mark.parametrize(
    ("line", "near"),
    [
        (["clasify"], "classify"),
        (["train", "ipd-mixed-quik"], "ipd-mixed-quick"),
        (["train", "ipd-shaping-quick", "--methods", "coalla"], "coala"),
        (["phase", "--x", "lerning_rate:1:10:3", "--y", "T:1:2:2"], "learning_rate"),
        (["figures", "enforcd"], "enforced"),
        (["verify", "--estimator", "coalla"], "coala"),
        (["tournament", "--rules", "lolla", "naive"], "lola"),
        (["evolve", "TFTT", "ALLD"], "TFT"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_the_nearest_name_is_said(line: list[str], near: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(line)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert f"did you mean {near}" in said
    assert len(said.strip().splitlines()) == 1
