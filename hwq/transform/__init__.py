"""Rewrites of a Network that keep what it computes."""
