"""Floating-point arithmetic as circuits, IEEE 754 with subnormals, for any widths of exponent and fraction."""
