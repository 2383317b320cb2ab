"""In which order: the plan of a run, its driver and the history of its pairs."""
