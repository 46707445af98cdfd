"""Labels of prompt points, as SAM and SAM 2 number them."""

NONE, NEGATIVE, POSITIVE = -1, 0, 1  # padding, background point, foreground point
UPPER_LEFT, LOWER_RIGHT = 2, 3  # corners of a box
