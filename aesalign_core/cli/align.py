"""`aesalign align`: preference grids → aligned encoder."""
