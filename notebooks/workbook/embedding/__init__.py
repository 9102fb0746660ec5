"""Embedding models: which there are, where their files come from, and texts to vectors."""
