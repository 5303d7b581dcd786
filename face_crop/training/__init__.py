"""What the face detector learns from, and how: none of it is needed to find faces."""
