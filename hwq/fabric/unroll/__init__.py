"""Unrolled layers: constant weights as wiring, one input vector a cycle."""
