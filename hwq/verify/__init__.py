"""Bit-exact comparison of written designs with the golden Network, in several engines."""
