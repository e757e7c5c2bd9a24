"""Whether an aligned encoder beats every trick that needs no training, at equal relevance."""
