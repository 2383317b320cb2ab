"""Which server answers, which of its models, and how hard it may be asked."""

from pydantic import Field

from dt2it_ray.settings import Settings


class EndpointSettings(Settings):
    """A model behind an OpenAI-compatible server. `model`, `revision` and `json_schema` say what is answered; the rest
    says where and how fast, and is not fingerprinted. The key stands in the environment and nowhere else."""

    model: str = Field(min_length=1)
    """The model's name, as the server knows it."""
    revision: str = ""
    """Tells apart what the server may serve under one name over time: a date or a commit."""
    json_schema: bool = True
    """Whether the server is asked to hold replies to a JSON schema (`response_format`). For servers that refuse it,
    False: replies are checked in any case."""
    url: str = Field(default="http://127.0.0.1:8000/v1", pattern=r"^https?://[^?#@]+$", exclude=True)
    """Base URL, up to and with `/v1`. Proxies and certificates are taken from the environment (HTTPS_PROXY,
    SSL_CERT_FILE); TLS is always verified."""
    key_variable: str = Field(default="OPENAI_API_KEY", exclude=True)
    """Environment variable with the API key. A server that wants none may have it unset."""
    max_concurrent: int = Field(default=32, ge=1, exclude=True)
    """Most requests under way at once, of each worker."""
    requests_per_minute: float | None = Field(default=None, gt=0, exclude=True)
    """Most requests a minute, of each worker. None: no limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0, exclude=True)
    """Most tokens a minute, prompts and answers together, of each worker; prompts are counted by a guess."""
    timeout_s: float = Field(default=120, gt=0, exclude=True)
    """A request that takes longer is given up and tried again."""
    attempts: int = Field(default=6, ge=1, exclude=True)
    """Tries of a request that the server fails to answer; then it waits for the next run."""
    longest_wait_s: float = Field(default=60, ge=0, exclude=True)
    """Between two tries, however long the server asks to wait."""
    input_price: float = Field(default=0, ge=0, exclude=True)
    """Of a million tokens of prompts, in any currency; what was spent and saved is told at the end of a step."""
    output_price: float = Field(default=0, ge=0, exclude=True)
    """Of a million tokens of answers."""
