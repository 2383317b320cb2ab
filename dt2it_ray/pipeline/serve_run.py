"""How the models of a run are served: with the run's own scoring, unless told otherwise."""

from collections.abc import Sequence

from dt2it_ray.engine.session import ray_session
from dt2it_ray.models.critic_settings import find_critic
from dt2it_ray.pipeline.models import models_of
from dt2it_ray.pipeline.run_record import read_run
from dt2it_ray.serving.app import serve_forever
from dt2it_ray.serving.settings import ServeSettings
from dt2it_ray.settings import load_settings
from dt2it_ray.store.files import Folder


def serve_run(run: Folder, config: str | None, overrides: Sequence[str]) -> None:
    """Serve every finished model of a run until interrupted.

    Raises:
        ConfigError: a setting does not fit. StoreError: there is no run in the folder.
        StageFailed: the server cannot start.
    """
    as_scored = {"score": read_run(run).settings.get("score", {})}
    settings = load_settings(ServeSettings, config, overrides, defaults=as_scored)
    models = models_of(run)
    settings = settings.model_copy(update={"critic": find_critic(settings.critic, models.values())})
    with ray_session():
        serve_forever(models, settings)
