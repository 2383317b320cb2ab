"""Who asks: reward models behind HTTP on Ray Serve."""
