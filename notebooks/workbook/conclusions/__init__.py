"""From the rows of a run to verdicts, advice and forecasts."""
