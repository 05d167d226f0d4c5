"""The integer Network: ops, shapes, the numpy golden model and its file form."""
