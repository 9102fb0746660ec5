"""Train a static model on documents, and measure what was trained."""
