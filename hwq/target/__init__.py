"""Output folders: Verilog, memory files, benches, scripts and documents of a design, and reading them back."""
