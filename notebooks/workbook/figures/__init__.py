"""From rows to tables and pictures."""
