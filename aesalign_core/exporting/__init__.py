"""What alignment made, in the formats of other programs."""
