"""What computes: generators, judges, reward models. The heavy imports stay inside."""
