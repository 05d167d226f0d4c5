"""Recipes that train small models from nothing."""
