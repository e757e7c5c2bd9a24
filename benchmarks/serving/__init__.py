"""How fast the service and a search are, against what they are to be compared with."""
