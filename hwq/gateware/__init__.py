"""Hardware components in Amaranth, built one to one from a plan's dataflow."""
