"""Plans: folding, memories and FIFO depths of a Network on a device, with exact cycles and estimated cost."""
