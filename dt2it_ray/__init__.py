"""Ray-distributed construction, curation and training of multimodal reward models after DT2IT-MRM (arXiv 2604.19544)."""

__version__ = "0.1.0.dev0"
