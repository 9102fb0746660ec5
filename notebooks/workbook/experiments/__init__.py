"""The measurements: one file for each, from a corpus and a model to rows."""
