"""Scores, their intervals, times, and the records and rows that keep them."""
