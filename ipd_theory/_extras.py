"""What is to be installed beside the core for the rooms that need more."""

from types import TracebackType


class MissingExtraError(ModuleNotFoundError):
    """A package of an optional extra is not installed."""


class needs:  # noqa: N801  (reads as a statement)
    """Imports inside `with needs("phases"):` that fail say which extra to install.

    Args:
        extra: The extra of this project that holds the packages.
    """

    def __init__(self, extra: str) -> None:
        self.extra = extra

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        package = error.name.split(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else "ipd_theory"
        if package != "ipd_theory" and not isinstance(error, MissingExtraError):
            words = f"this needs {package}, which is not installed: pip install 'ipd-theory[{self.extra}]'"
            raise MissingExtraError(words, name=package) from None
