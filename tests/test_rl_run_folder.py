"""Folders of runs that were cut, edited, mixed up or are in use: one error that names the file, or the older state."""

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

from ipd_theory import cli
from ipd_theory.commands.train import default_folder
from ipd_theory.rl import devices, policies, run_folder, runs, shaper, tracking
from ipd_theory.rl.checkpoint import Checkpoints
from ipd_theory.rl.config import Config, Meta
from ipd_theory.rl.networks import NetworkSettings


@dataclass(frozen=True)
class Rows(NetworkSettings):
    """A table of zeros, with rows for more observations than there are."""

    more: int = 0

    def build(self, key: Any, environment: Any) -> policies.TabularPolicy:
        """Return it."""
        shape = (environment.num_observations + self.more, environment.num_actions + 1)
        return policies.TabularPolicy(jnp.zeros(shape, jnp.float32))


@dataclass(frozen=True)
class Unbuildable(NetworkSettings):
    """Cannot be made."""

    def build(self, key: Any, environment: Any) -> policies.TabularPolicy:
        """Raise."""
        raise ValueError("no such network")


CONFIG = Config(
    iterations=20, meta_batch=2, batch=2, inner_episodes=2, episode_length=2, num_naive=1, network=Rows(),
    meta=Meta(epochs=1, minibatches=1),
)  # fmt: skip
LINES = [json.dumps({"iteration": i}) + "\n" for i in range(2, 21, 2)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run after 20 iterations, with checkpoints of iterations 16 and 20."""
    directory = tmp_path_factory.mktemp("run") / "run"
    settings = run_folder.described(CONFIG, (0,))
    run_folder.write_settings(directory / "config.json", settings)
    (directory / "metrics.jsonl").write_text("".join(LINES))
    states, checkpoints = devices.initial_states(CONFIG, (0,)), Checkpoints(directory / "checkpoints", keep=2)
    for iteration in (16, 20):
        now = states._replace(iteration=jnp.full_like(states.iteration, iteration))
        checkpoints.save(iteration, now, run_folder.decisive(settings))
    checkpoints.close()
    return directory


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def edit(run: Path, **changes: Any) -> None:
    path = run / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\x93NUMPY\x01\x00v\x00", "cannot be read: 'utf-8' codec"),
        (b"", "cannot be read: Expecting value"),
        (b"[1, 2]", r"must hold an object of settings; got \[1, 2\]"),
        (b"{}", "cannot be read: it lacks environment, meta, naive, network, seeds"),
    ],
)
def test_a_file_of_settings_that_is_none_is_named(text: bytes, message: str, run: Path) -> None:
    (run / "config.json").write_bytes(text)
    for ask in (run_folder.read_config, runs.read_states, lambda run: runs.train(CONFIG, run)):
        with pytest.raises(ValueError, match=r"config\.json .*" + message) as told:
            ask(run)
        assert str(told.value).count("config.json") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": {"name": "Chess"}}, "environment must be one of .* got 'Chess'"),
        ({"batch": 0}, "batch must be 1 or more; got 0"),
        ({"meta": {"clip": -1.0}}, "meta: clip must be positive; got -1"),
        ({"meta": {"speed": 3}}, "meta: .*speed"),
        ({"width": 3}, "there is no setting width"),
        ({"methods": "coala"}, "(?s)methods.*coala"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_settings_of_no_run_are_named(changes: dict[str, Any], message: str, run: Path) -> None:
    edit(run, **changes)
    with pytest.raises((ValueError, TypeError), match=message):
        run_folder.read_config(run)


@pytest.mark.parametrize(("name", "value"), [("batch", 4), ("environment", None), ("seeds", [1])])
def test_a_checkpoint_knows_the_settings_that_it_belongs_to(name: str, value: Any, run: Path) -> None:
    """Other settings give other results, though every array may have the same shape."""
    if name == "environment":
        edit(run, environment={"name": "IteratedDilemma", "payoffs": [3.0, 0.0, 5.0, 1.0]})
    else:
        edit(run, **{name: value})
    with pytest.raises(ValueError, match=r"checkpoints/20 belongs to a run with other settings.*(batch|payoffs|seeds)"):
        runs.read_states(run)


def test_a_checkpoint_of_another_width_is_refused(run: Path) -> None:
    edit(run, network=run_folder.described(replace(CONFIG, network=Rows(3)), (0,))["network"])
    with (
        pytest.raises(ValueError, match="checkpoints/16 holds arrays of other shapes"),
        pytest.warns(UserWarning, match="iteration 16 is used"),
    ):
        runs.read_states(run)


def spoil(run: Path, how: str) -> None:
    place = run / "checkpoints" / "20"
    if how == "data":
        shutil.rmtree(place / "default")
    elif how == "empty":
        shutil.rmtree(place)
        place.mkdir()
    else:
        shutil.rmtree(place)
        place.write_text("")


@pytest.mark.parametrize("how", ["data", "empty", "file"])
def test_a_broken_checkpoint_is_named_and_the_older_one_used(how: str, run: Path) -> None:
    spoil(run, how)
    with pytest.warns(UserWarning, match=r"checkpoints/20 cannot be read.*the one of iteration 16 is used"):
        states = runs.read_states(run)
    assert states.iteration.tolist() == [16]
    with pytest.raises(ValueError, match="checkpoints/20 cannot be read"):
        runs.read_states(run, 20)


def test_stray_folders_do_not_matter(run: Path) -> None:
    for name in ("notes", "24.orbax-checkpoint-tmp", ".hidden"):
        (run / "checkpoints" / name).mkdir()
    assert runs.read_states(run).iteration.tolist() == [20]


def test_without_a_checkpoint_it_is_said_in_words(run: Path) -> None:
    with pytest.raises(ValueError, match="has no checkpoint of iteration 7; there are 16, 20"):
        runs.read_states(run, 7)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(ValueError, match="has no checkpoint: only its record was kept, or it has not come so far"):
        runs.read_states(run)
    assert not (run / "checkpoints").exists()


def test_reading_changes_nothing(run: Path) -> None:
    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    (run / "checkpoints" / "24.orbax-checkpoint-tmp").mkdir()  # as of a process that is just writing it
    before = everything()
    runs.read_states(run)
    runs.read_states(run, 16)
    assert everything() == before
    assert (run / "checkpoints" / "24.orbax-checkpoint-tmp").exists()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (None, r"metrics\.jsonl ends at iteration 0, before the checkpoint of iteration 20: .*no earlier checkpoint"),
        ("", r"metrics\.jsonl ends at iteration 0"),
        ("".join(LINES[:4]), r"metrics\.jsonl ends at iteration 8"),
        (LINES[0] + '{"iterat\n' + LINES[2], r"metrics\.jsonl, line 2, holds no metrics: '\{\"iterat'"),
        (LINES[0] + "[1]\n", r"metrics\.jsonl, line 2, holds no metrics"),
    ],
)
def test_a_record_that_was_cut_is_named(metrics: str | None, message: str, run: Path) -> None:
    path = run / "metrics.jsonl"
    path.unlink() if metrics is None else path.write_text(metrics)
    with pytest.raises(ValueError, match=message):
        runs.train(replace(CONFIG, iterations=30), run, log_every=2)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["16", "20"]


def test_training_goes_on_from_the_checkpoint_that_the_record_reaches(run: Path) -> None:
    (run / "metrics.jsonl").write_text("".join(LINES[:9]) + '{"iterat')  # up to 18, and a line cut short
    config = replace(CONFIG, iterations=22)
    with pytest.warns(UserWarning, match="an earlier checkpoint is used"):
        runs.train(config, run, log_every=2, checkpoint_every=2)
    assert [line["iteration"] for line in run_folder.read_metrics(run)] == list(range(2, 23, 2))
    assert runs.read_states(run).iteration.tolist() == [22]
    assert run_folder.read_config(run)[0] == config


def test_a_folder_of_another_kind_is_left_alone(run: Path, tmp_path: Path) -> None:
    before = (run / "metrics.jsonl").read_text()
    search = shaper.ShaperSettings(population_size=2)
    with pytest.raises(ValueError, match="holds a training run"):
        shaper.evolve(CONFIG, search, 1, run)
    assert (run / "metrics.jsonl").read_text() == before
    other = tmp_path / "search"
    run_folder.write_settings(other / "shaper.json", {"seed": 0})
    with pytest.raises(ValueError, match="holds a search for a shaper"):
        runs.train(CONFIG, other)
    (run / "config.json").unlink()
    with pytest.raises(ValueError, match=r"holds metrics\.jsonl but no config\.json"):
        runs.train(CONFIG, run)
    with pytest.raises(ValueError, match="must be a folder; it is a file"):
        runs.train(CONFIG, run / "metrics.jsonl")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"network": Unbuildable()}, {}, "no such network"),
        ({}, {"seeds": ()}, "seeds must be one or more"),
        ({}, {"seeds": (0, 0)}, "seeds must be one or more different"),
        ({}, {"seeds": (-1,)}, "seeds must be a whole number, from 0 to"),
        ({}, {"log_every": 0}, "log_every must be a whole number, 1 or more; got 0"),
        ({}, {"max_minutes": -1.0}, "max_minutes must be 0 or more"),
    ],
)
def test_what_cannot_run_leaves_nothing_behind(
    change: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        runs.train(replace(CONFIG, **change), tmp_path / "made" / "run", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_one_process_s(run: Path) -> None:
    with run_folder.held(run), pytest.raises(ValueError, match=r"is being written by process \d+ on "):
        runs.train(replace(CONFIG, iterations=30), run)
    search = shaper.ShaperSettings(population_size=2)
    with run_folder.held(run.parent / "search"), pytest.raises(ValueError, match="is being written by process"):
        shaper.evolve(CONFIG, search, 1, run.parent / "search")
    (run / run_folder.LOCK).write_text("1 on elsewhere")  # of a process that was killed
    runs.train(CONFIG, run)


def test_a_full_disk_leaves_the_file_as_it_was(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / "config.json").read_text()

    def full(self: Path, text: str) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        run_folder.write_settings(run / "config.json", {})
    monkeypatch.undo()
    assert (run / "config.json").read_text() == before
    checkpoints = Checkpoints(run / "checkpoints", keep=2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9**9, 9**9, 1000))
    with pytest.raises(OSError, match=r"No space left on device: .*checkpoints/24"):
        checkpoints.save(24, devices.initial_states(CONFIG, (0,)), {})
    checkpoints.close()


def test_no_two_presets_share_a_folder() -> None:
    methods = ("coala",)
    names = [default_folder(preset, methods, (0,)) for preset in ("ipd-shaping-quick", "cleanup-shaping-quick")]
    names += [default_folder("ipd-shaping-quick", ("m_fos",), (0,)), default_folder("ipd-shaping-quick", methods, (1,))]
    names += [default_folder("ipd-shaping-quick", methods, (0, 1))]
    assert len(set(names)) == len(names)
    assert names[0] == Path("runs/ipd-shaping-quick-coala-seed0")


@pytest.mark.parametrize("command", ["shaper", "train"])
def test_a_command_names_its_folder_after_the_preset(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a plain install says that it writes no events."""
    folders: list[Path] = []

    def begun(*arguments: Any, **_: Any) -> None:
        folders.extend(x for x in arguments if isinstance(x, Path))
        raise ValueError("begun")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shaper, "evolve", begun)
    monkeypatch.setattr(runs, "train", begun)
    monkeypatch.setattr(tracking, "has_tensorboard", lambda: False)
    for preset in ("ipd-shaping-quick", "cleanup-shaping-quick"):
        monkeypatch.setattr(sys, "argv", ["ipd-theory", command, preset])
        with pytest.raises(SystemExit):
            cli.main()
        said = " ".join(capsys.readouterr().err.split())
        assert ("no TensorBoard events: tensorboardX is not installed" in said) == (command == "train")
    assert len(set(folders)) == 2
    for folder, preset in zip(folders, ("ipd-shaping-quick", "cleanup-shaping-quick"), strict=True):
        assert preset in folder.name
