"""Drawings of networks and designs: what stands in a box, where it stands, and the SVG."""
