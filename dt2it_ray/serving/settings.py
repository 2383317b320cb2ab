"""Where the server listens, how its models are placed, and what one request may ask for."""

from pydantic import Field

from dt2it_ray.data.images import MAX_PIXELS
from dt2it_ray.models.critic_settings import CriticSettings
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.settings import Settings


class Limits(Settings):
    """What one request may hold. More is refused before any of it is decoded or scored."""

    max_body_bytes: int = Field(default=32 * 2**20, ge=1)
    """Most bytes of a request body; base64 makes images a third larger."""
    max_conversations: int = Field(default=128, ge=1)
    """Most conversations, or answers to a shared prompt, of one request."""
    max_parts: int = Field(default=1024, ge=1)
    """Most parts of the messages before one answer; a message with one text counts as one, as does an empty one."""
    max_images: int = Field(default=8, ge=0)
    """Most images of one conversation."""
    max_image_pixels: int = Field(default=25_000_000, ge=1, le=MAX_PIXELS)
    """Most pixels of one image: a 24-megapixel photo passes, a decompression bomb does not."""
    max_request_pixels: int = Field(default=200_000_000, ge=1)
    """Most pixels of all images of one request."""
    max_characters: int = Field(default=200_000, ge=1)
    """Most characters of one conversation's text. The model's own token limit applies as well."""


class ServeSettings(Settings):
    """How a run is served. Never fingerprinted; `scorer` and `score` alone decide what a score is."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. Only this machine can connect unless told otherwise."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes any free one."""
    scorer: str = Field(default="dt2it_ray.models.open_scorer:open_scorer", pattern=r"^[\w.]+:\w+$")
    """`module:callable` that returns a Scorer, called as `scorer(folder, settings=..., device=..., threads=...)`."""
    score: ScoreSettings = ScoreSettings()
    """Precision, rounding and limits. `dt2it serve` takes the run's own, so that rewards equal its score table."""
    critic: CriticSettings = CriticSettings()
    """Who writes the critiques that models read which were trained with some. Unless it is each model itself, `scorer`
    is also called with `critics=...`."""
    models_per_replica: int = Field(default=32, ge=1)
    """Models that share one process. 1 gives every model a deployment of its own: right for large ones."""
    loaded_models: int = Field(default=32, ge=1)
    """Most models held in the memory of a replica; the least recently used one makes room for another."""
    replicas: int = Field(default=1, ge=1)
    """Processes for each group of models."""
    ingress_replicas: int = Field(default=1, ge=1)
    """Processes that check requests and decode images. Each keeps queues of its own."""
    cpus_per_replica: float = Field(default=1, ge=0)
    """CPU cores of each process; also its threads, at least one."""
    gpus_per_replica: float = Field(default=0, ge=0)
    """GPUs of each process; above 0 the models run on cuda."""
    max_batch_size: int = Field(default=32, ge=1)
    """Most conversations of one call of a model."""
    batch_wait_s: float = Field(default=0.005, ge=0)
    """How long an incomplete batch waits for more conversations."""
    max_ongoing_requests: int = Field(default=64, ge=1)
    """Requests that a replica works on at once; their conversations share batches."""
    max_queued_requests: int = Field(default=128, ge=1)
    """Requests that wait for a group of models while its replicas are busy; more are refused with status 429."""
    request_timeout_s: float = Field(default=60, gt=0)
    """A request that takes longer is given up with status 503. Counted from its first byte."""
    start_timeout_s: float = Field(default=600, gt=0)
    """Starting fails when the models are not loaded within this time."""
    limits: Limits = Limits()

    @property
    def device(self) -> str:
        """Where the models run."""
        return "cuda" if self.gpus_per_replica > 0 else "cpu"

    @property
    def requests_per_group(self) -> int:
        """Most requests for one group of models that an ingress lets in, those being scored included."""
        return self.replicas * self.max_ongoing_requests + self.max_queued_requests

    @property
    def threads(self) -> int:
        """Threads of each replica."""
        return max(1, int(self.cpus_per_replica))
