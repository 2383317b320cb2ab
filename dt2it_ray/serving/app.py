"""How the server of a run is started, announced and stopped."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, LoggingConfig

from dt2it_ray.errors import ConfigError, StageFailed, StoreError
from dt2it_ray.serving.address import free_port, is_loopback, url_of
from dt2it_ray.serving.auth import TOKEN_VARIABLE, new_token, token_digest, token_from_environment
from dt2it_ray.serving.placement import build_application
from dt2it_ray.serving.settings import ServeSettings
from dt2it_ray.store.files import Folder

APP_NAME = "dt2it_ray"
POLL_S = 0.2


@dataclass(frozen=True)
class Server:
    """A running server. Clients send `token` in the header `Authorization: Bearer TOKEN`."""

    url: str
    token: str = field(repr=False)
    token_is_new: bool
    models: tuple[str, ...]

    def stop(self) -> None:
        """Finish running requests, then stop Ray Serve. The Ray session stays open."""
        serve.shutdown()


def start(models: Mapping[str, str], settings: ServeSettings) -> Server:
    """Serve models (name -> checkpoint folder) in the Ray session at hand; returns once they can be asked.

    The token is that of the environment variable DT2IT_SERVE_TOKEN, else a new one.

    Raises:
        ConfigError: there is no model, no Ray session, another server in it, or no way to listen on the address.
        StoreError: a model's folder does not exist.
        StageFailed: a model cannot be loaded, or the replicas find no place within `start_timeout_s`.
    """
    _check_models(models)
    _check_session()
    chosen = token_from_environment()
    token = chosen or new_token()
    port = free_port(settings.host, settings.port)
    application = build_application(models, settings, token_digest(token))
    try:
        _listen(settings, port)
        target = serve.RunTarget(application, name=APP_NAME, route_prefix="/")
        serve.run_many([target], wait_for_applications_running=False)
        _wait_until_running(settings.start_timeout_s)
    except BaseException:
        serve.shutdown()
        raise
    return Server(url_of(settings.host, port), token, chosen is None, tuple(models))


def serve_forever(models: Mapping[str, str], settings: ServeSettings) -> None:
    """Serve models until SIGINT or SIGTERM arrives, then finish running requests and return. For the main thread."""
    server = start(models, settings)
    try:
        with _stop_signals() as stopped:
            _announce(server)
            stopped.wait()
            print("Finishing running requests ...", flush=True)
    finally:
        server.stop()


def _listen(settings: ServeSettings, port: int) -> None:
    # The timeout is a backstop: the routes give up earlier, with an error that says more.
    http = HTTPOptions(host=settings.host, port=port, request_timeout_s=settings.request_timeout_s + 5)
    location = "HeadOnly" if is_loopback(settings.host) else "EveryNode"
    logs = LoggingConfig(log_level="WARNING", enable_access_log=False)
    serve.start(proxy_location=location, http_options=http, logging_config=logs)


def _wait_until_running(timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = serve.status().applications[APP_NAME]
        if state.status == ApplicationStatus.RUNNING:
            return
        if state.status == ApplicationStatus.DEPLOY_FAILED:
            raise StageFailed(f"the models cannot be served: {_reason(state)}")
        time.sleep(POLL_S)
    free = {name: amount for name, amount in ray.available_resources().items() if name in ("CPU", "GPU")}
    raise StageFailed(
        f"the server was not ready within start_timeout_s = {timeout_s:g}. Free now: {free}. Lower cpus_per_replica or "
        "gpus_per_replica, raise models_per_replica so that models share processes, or raise start_timeout_s."
    )


def _reason(state: ApplicationStatusOverview) -> str:
    """The last line of the first failed deployment's message: the exception itself, without its traceback."""
    messages = [deployment.message for deployment in state.deployments.values()] + [state.message]
    lines = [line.strip() for message in messages if "rror" in message for line in message.splitlines()]
    return next((line for line in reversed(lines) if "rror" in line), state.message)


def _check_models(models: Mapping[str, str]) -> None:
    if not models:
        raise ConfigError("there is no model to serve: the run has no finished train step yet")
    for name, folder in models.items():
        if not Folder(folder).exists(""):
            raise StoreError(f"the checkpoint of {name} is missing: {folder} does not exist")


def _check_session() -> None:
    if not ray.is_initialized():
        raise ConfigError("there is no Ray session: open one around this call with engine.session.ray_session()")
    if serve.status().proxies:
        raise ConfigError(
            "Ray Serve already runs in this Ray session and has one address only: stop it with `serve shutdown`, "
            "or unset RAY_ADDRESS to use a private session"
        )


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set for the length of the `with` block."""
    stopped = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(server: Server) -> None:
    print(f"Serving {len(server.models)} models at {server.url}: {', '.join(server.models)}")
    if server.token_is_new:
        print(f"Token (shown once; set {TOKEN_VARIABLE} to choose it): {server.token}")
    else:
        print(f"Token: the one in {TOKEN_VARIABLE}")
    print("Press Ctrl-C to stop.", flush=True)
