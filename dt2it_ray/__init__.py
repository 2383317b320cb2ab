"""Construction, curation and training of multimodal reward models on Ray, after DT2IT-MRM (arXiv 2604.19544)."""

__version__ = "0.1.0.dev0"
