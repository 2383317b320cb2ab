"""Where results are and what made them: fingerprints, manifests, parts, provenance."""
