"""Pictures that nobody vouches for: decoding them safely, and many at once."""
