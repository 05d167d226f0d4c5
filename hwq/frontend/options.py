"""What the user may say about a model while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hwq.errors import InputError
from hwq.network.ops import Accumulation
from hwq.numerics.encoding import Encoding, Fixed, parse_encoding

__all__ = ["InputEncoding", "ReadOptions", "parse_real"]

Real = Fraction | float | int | str


@dataclass(frozen=True)
class InputEncoding:
    """Integers that arrive at an input and the real numbers they stand for: ``real = integer * scale + offset``."""

    encoding: Encoding
    scale: Fraction
    offset: Fraction


@dataclass(frozen=True)
class ReadOptions:
    """Options of :func:`hwq.read`.

    Parameters
    ----------
    name
        Name of the model; the source's own name when None.
    input_encoding
        QONNX name of the integers that arrive at every input (``UINT8``); overrides the model's annotation.
    input_scale, input_offset
        Real value of an integer = integer * scale + offset; a number, a Fraction or text such as ``1/255``.
        None is the encoding's own unit (1, but for fixed point) and 0.
    input_quantizer
        ``host``: the model's input quantizer runs in the host head; ``hardware``: it is built in, and works on the
        integers that ``input_encoding`` names.
    accumulator
        Accumulation of every contraction that does not state its own.
    residual_encoding
        ``FIXED<w,i>``: quantizer that is put into the branches of a sum which has no affordable exact form.
    """

    name: str | None = None
    input_encoding: str | Encoding | None = None
    input_scale: Real | None = None
    input_offset: Real | None = None
    input_quantizer: str = "host"
    accumulator: Accumulation | None = None
    residual_encoding: str | Fixed | None = None

    @property
    def residual(self) -> Fixed | None:
        """The encoding of ``residual_encoding``; raises :class:`InputError` where it is no ``FIXED<w,i>``."""
        if self.residual_encoding is None or isinstance(self.residual_encoding, Fixed):
            return self.residual_encoding
        encoding = parse_encoding(self.residual_encoding)
        if not isinstance(encoding, Fixed):
            message = f"{self.residual_encoding!r} was given, FIXED<w,i> was expected"
            raise InputError("OPTION", message, where="--residual-encoding", hint="FIXED<16,6>: 16 bits in all, 6 before the binary point")
        return encoding

    def encoding_of(self, annotation: str | None) -> InputEncoding | None:
        """The encoding of an input whose model annotates ``annotation``; None where neither names one.

        Raises :class:`InputError` for a wrong name or number.
        """
        if self.input_quantizer not in ("host", "hardware"):
            raise InputError("OPTION", f"{self.input_quantizer!r} was given, 'host' or 'hardware' was expected", where="--input-quantizer")
        stated = self.input_encoding if self.input_encoding is not None else annotation
        if stated is None:
            return None
        encoding = stated if isinstance(stated, Encoding) else parse_encoding(stated)
        scale = encoding.unit if self.input_scale is None else parse_real(self.input_scale, "--input-scale")
        if scale == 0:
            raise InputError("OPTION", "a scale of 0 was given, any other number was expected", where="--input-scale")
        offset = Fraction(0) if self.input_offset is None else parse_real(self.input_offset, "--input-offset")
        return InputEncoding(encoding, scale, offset)


def parse_real(value: Real, where: str) -> Fraction:
    """An exact number from a number or text such as ``0.5`` or ``1/255``; :class:`InputError` names the option ``where``."""
    try:
        return Fraction(value)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise InputError("OPTION", f"{value!r} is no number", where=where, hint="Write a number such as 0.5 or 1/255") from None
