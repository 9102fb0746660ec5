"""Qdrant: its quantization settings, its engines, and collections and shards that exist already."""
