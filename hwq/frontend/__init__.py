"""Readers of trained models and the lowering of their graphs to integer Networks."""
