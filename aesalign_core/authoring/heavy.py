"""Libraries that listing plugins and checking a recipe must not wait for."""

from __future__ import annotations

HEAVY = (
    "torch", "torchvision", "tensorflow", "jax", "transformers", "timm", "open_clip", "sentence_transformers",
    "litellm", "openai", "lancedb", "faiss", "usearch", "qdrant_client", "pyiqa", "onnxruntime", "ray", "skimage",
    "sklearn", "scipy", "pandas", "matplotlib", "cv2", "fastapi", "starlette", "uvicorn",
    "prometheus_client",
)  # fmt: skip
