"""What we decide about rows, as pure functions of plain values and Arrow tables."""
