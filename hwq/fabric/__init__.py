"""Circuits of the FPGA fabric: LUTs, carry chains, flip-flops and DSP slices, and the arithmetic made of them."""
