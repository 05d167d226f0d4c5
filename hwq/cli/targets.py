"""List the devices and boards hwq knows.

Each is one TOML file with the vendor document of every figure. The clock is assumed, not proven by a timing run.
"""

from __future__ import annotations

import argparse

from hwq.cli.console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``hwq targets`` has no options of its own."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Run ``hwq targets``."""
    from dataclasses import asdict

    from hwq.report.table import Table, grouped
    from hwq.target.boards import device_names, load_device

    devices = [load_device(name) for name in device_names()]
    rows = [
        (d.name, d.part, d.title, grouped(d.lut), grouped(d.ff), f"{d.bram36:g}", f"{d.uram:g}", f"{d.dsp:g}", f"{d.clock_mhz:g}")
        for d in devices
    ]
    headers = ("target", "part", "what", ">LUT", ">FF", ">BRAM36", ">URAM", ">DSP", ">assumed MHz")
    console.say(Table(headers, rows).text(""))
    console.document({"targets": [asdict(d) for d in devices]})
    return 0
