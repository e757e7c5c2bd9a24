"""What works with no network and no key."""
