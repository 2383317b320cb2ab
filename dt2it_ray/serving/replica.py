"""What runs on Ray Serve: replicas that hold models and batch conversations, and the ingress in front of them."""

import asyncio
import importlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.assessment import Assessment, assess
from dt2it_ray.models.critic_settings import CriticSettings
from dt2it_ray.models.protocols import Conversation, Scorer
from dt2it_ray.serving.admission import Admission
from dt2it_ray.serving.api import Scored, build_api
from dt2it_ray.serving.refusal import Refusal
from dt2it_ray.serving.settings import ServeSettings

logger = logging.getLogger("ray.serve")

Reading = tuple[str, Assessment | Dropped]
"""The fingerprint of a model and what it makes of one conversation."""


class Shelf:
    """Models of a run by name, loaded at first use; the least recently used one makes room for another.

    Names of one folder (`iter-00` is also `iter-01/voter-0`) share one model in memory.
    """

    def __init__(self, folders: Mapping[str, str], open_model: Callable[[str], Scorer], room: int) -> None:
        self.folders, self._open_model, self._room = folders, open_model, room
        self._loaded: OrderedDict[str, Scorer] = OrderedDict()

    def take(self, name: str) -> Scorer:
        """The model `name`, in memory."""
        folder = self.folders[name]
        if folder not in self._loaded:
            # Room is made first: a large model fits only once the other has left the memory.
            while len(self._loaded) >= self._room:
                self._loaded.popitem(last=False)
            self._loaded[folder] = self._open_model(folder)
        self._loaded.move_to_end(folder)
        return self._loaded[folder]

    def fill(self) -> None:
        """Load as many models as there is room for, so that first requests need not wait."""
        names = {folder: name for name, folder in self.folders.items()}
        for name in list(names.values())[: self._room]:
            self.take(name)


def score_by_model(shelf: Shelf, batch: Sequence[tuple[str, Conversation]]) -> list[Reading | Exception]:
    """A reading for every (model, conversation), in order; one call of each model that the batch asks for.

    If that call fails, each of its conversations is tried alone: they are of different clients, and an error stands in
    place of its own reading only.
    """
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(batch):
        places.setdefault(name, []).append(place)
    readings: dict[int, Reading | Exception] = {}
    for name, mine in places.items():
        conversations = [batch[place][1] for place in mine]
        read = _try_model(shelf, name, conversations)
        if len(mine) > 1 and isinstance(read[0], Exception):
            read = [_try_model(shelf, name, [conversation])[0] for conversation in conversations]
        readings |= dict(zip(mine, read, strict=True))
    return [readings[place] for place in range(len(batch))]


def _try_model(shelf: Shelf, name: str, conversations: Sequence[Conversation]) -> Sequence[Reading | Exception]:
    """One call of a model; its error for every conversation if it fails. Holds no model when it is left."""
    try:
        model = shelf.take(name)
        return [(model.fingerprint, told) for told in assess(model, conversations)]
    except Exception as error:
        logger.error("model %s failed on %d conversations", name, len(conversations), exc_info=error)
        return [error.with_traceback(None)] * len(conversations)


@serve.deployment()
class RewardModels:
    """A replica that holds some models of a run. Conversations of concurrent requests share batches."""

    def __init__(self, folders: Mapping[str, str], settings: ServeSettings) -> None:
        self._shelf = Shelf(folders, opener(settings), settings.loaded_models)
        self._shelf.fill()
        batching: Any = self._score_one
        batching.set_max_batch_size(settings.max_batch_size)
        batching.set_batch_wait_timeout_s(settings.batch_wait_s)

    async def score(self, name: str, conversations: Sequence[Conversation]) -> Scored:
        """Rewards of one request's conversations by the model `name`."""
        entries = [(name, conversation) for conversation in conversations]
        readings = await asyncio.gather(*(self._score_one(entry) for entry in entries))
        fingerprints, told = zip(*map(_checked, readings), strict=True)
        return Scored(fingerprints[0], list(told))

    @serve.batch
    async def _score_one(self, batch: list[tuple[str, Conversation]]) -> list[Reading | Exception]:
        # One batch at a time (max_concurrent_batches is 1), so models and the shelf are never used by two threads.
        return await asyncio.to_thread(score_by_model, self._shelf, batch)


@serve.deployment()
@serve.ingress()
class Ingress:
    """The HTTP face of a run: checks requests and passes their conversations to the replicas of their model."""

    def __init__(
        self, groups: Sequence[DeploymentHandle], group_of: Mapping[str, int], settings: ServeSettings, digest: bytes
    ) -> None:
        self.names = list(group_of)
        doors = [Admission(settings.requests_per_group) for _ in groups]
        self._groups = {name: (groups[index], doors[index]) for name, index in group_of.items()}
        self._settings, self._digest = settings, digest

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_api(self, self._settings, self._digest)

    async def score(self, model: str, conversations: Sequence[Conversation]) -> Scored:
        """Rewards by the model `model`.

        Raises:
            Refusal: status 429 when too many requests wait for it, 503 when its process is gone.
        """
        group, door = self._groups[model]
        try:
            with door.place(model):
                return await group.score.remote(model, conversations)
        except (RayActorError, DeploymentUnavailableError):
            detail = f"the process that holds {model} stopped and is being started again; try again later"
            raise Refusal(503, "model_unavailable", detail) from None


def _checked(reading: Reading | Exception) -> Reading:
    if isinstance(reading, Exception):
        raise reading
    return reading


def opener(settings: ServeSettings) -> Callable[[str], Scorer]:
    """What opens the model in a folder, as the settings say."""
    module, _, name = settings.scorer.partition(":")
    scorer = getattr(importlib.import_module(module), name)
    how: dict[str, Any] = {"settings": settings.score, "device": settings.device, "threads": settings.threads}
    if settings.critic != CriticSettings():
        from dt2it_ray.models.open_critic import open_critics

        # One engine for all models of the replica.
        how["critics"] = open_critics(settings.critic, settings.score, settings.device, settings.threads)
    return partial(scorer, **how)
