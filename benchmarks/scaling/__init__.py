"""A million vectors: memory, recall and latency; and what more of them would cost."""
