"""The one exception family of hwq: a stable code, a sentence about the user's layer or option, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["HwqError", "InputError", "NegativeVerdict", "Problems"]


class HwqError(Exception):
    """Base of every error hwq raises on purpose.

    Parameters
    ----------
    code
        Stable identifier for programs, upper case with dashes, for example ``FILE-TRUNCATED``.
    message
        Plain sentence: what was found, what was expected. No trailing period needed.
    where
        The user's own name of the layer, option, file or tensor concerned.
    hint
        What to do about it, as one sentence.
    """

    exit_code = 2

    def __init__(self, code: str, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}. {self.hint}" if self.hint else text

    def entries(self) -> Sequence[HwqError]:
        """The single errors this one stands for."""
        return (self,)

    def to_json(self) -> dict[str, str | None]:
        """Fields of the error as plain data, for ``--json``."""
        return {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}


class InputError(HwqError):
    """The input is wrong: a file, an option, a layer that cannot be compiled (exit code 2)."""


class NegativeVerdict(HwqError):
    """The question was good and the answer is no: not bit-exact, does not fit, misses the goal (exit code 1)."""

    exit_code = 1


class Problems(InputError):
    """All that stands in the way of one model, reported together."""

    def __init__(self, problems: Iterable[HwqError]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__("PROBLEMS", f"{count} problem{'s' if count != 1 else ''} in this model")

    def __str__(self) -> str:
        problems = getattr(self, "problems", ())
        return "\n".join(f"[{p.code}] {p}" for p in problems)

    def entries(self) -> Sequence[HwqError]:
        return self.problems
