"""The whole flow on real photographs, with what works offline."""
