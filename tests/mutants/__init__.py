"""Do the tests notice? One formula is broken at a time, and the tests that hold it are run: `python -m tests.mutants`.

Each module of this folder, apart from the machinery, has `MUTANTS`, those of some rooms. A mutant names the fewest
tests that have to notice it, so that one costs seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One broken formula.

    Args:
        name: what is wrong, in words.
        file: the module, from the root of the repository.
        old: the text that is right; it must occur there exactly once.
        new: the text in its place.
        tests: the file in the folder `tests` that holds the formula.
        only: which of its tests, as pytest's `-k`; all if empty.
        never_ends: whether running into the time limit is how the tests notice it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    only: str = ""
    never_ends: bool = False

    def broken(self, text: str) -> str:
        """Return the module's text with the formula broken.

        Raises:
            ValueError: if the right text does not occur exactly once.
        """
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: {self.file} must hold {self.old!r} once; it does {count} times")
        return text.replace(self.old, self.new)
