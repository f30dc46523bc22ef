"""What all kinds of arrays have in common."""

LOST = "lost"
"""The state of an array that serves no more: as grave as the loss of a disk outside any array."""
