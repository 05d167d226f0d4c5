"""Exact integer arithmetic: encodings, intervals, rounding, staircases."""
