"""An HTTP service over one gallery: OpenAI-compatible embeddings, search, metrics and a search page."""
