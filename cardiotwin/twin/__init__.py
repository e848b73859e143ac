"""The twin: the stages in order, what is stale, what is computed next, and the versions there were."""
