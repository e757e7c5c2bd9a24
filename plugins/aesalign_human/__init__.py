"""People as judge of two rows of photos: a page to vote on, and votes that are HPIR labels."""
