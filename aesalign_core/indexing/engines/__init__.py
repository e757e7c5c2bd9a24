"""Who reads, embeds and scores photos for a gallery: threads of this process, or workers of a Ray cluster."""
