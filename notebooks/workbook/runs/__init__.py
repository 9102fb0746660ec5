"""The plan, its runner, and the report of a run."""
