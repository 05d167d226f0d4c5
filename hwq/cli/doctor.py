"""Say what each command needs, what of it is here, and what to install.

Exits 0 when models can be compiled; the rest is advice.
"""

from __future__ import annotations

import argparse

from hwq.cli.console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``hwq doctor`` has no options of its own."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq doctor``."""
    from hwq.report.doctor import diagnose, diagnosis_text

    diagnosis = diagnose()
    console.say(diagnosis_text(diagnosis))
    console.document(diagnosis)
    return 0 if diagnosis["core"] else 1
