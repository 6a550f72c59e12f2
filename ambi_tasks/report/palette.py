"""Colours and markers that the colour-blind tell apart, for all figures."""

INK = "#1b1b1f"
"""Text and axes; a page puts its own colour of text in its place."""

BLUE, SKY = "#0072B2", "#56B4E9"
"""Of these a page has a lighter shade on a dark ground."""

# Okabe and Ito's colours, with a grey in place of the yellow that white drowns.
COLOURS = (BLUE, "#D55E00", "#009E73", "#CC79A7", SKY, "#E69F00", INK, "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")

SHOWN = len(COLOURS)
"""Runs that one figure can tell apart."""
