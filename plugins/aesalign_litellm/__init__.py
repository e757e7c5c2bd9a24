"""LLMs of any provider, through litellm."""
