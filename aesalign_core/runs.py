"""RUN folders: what a training run leaves, and the aligned encoder in it."""
