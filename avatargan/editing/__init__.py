"""Characters of one's own: sliders, mixing, and pictures that become characters."""
