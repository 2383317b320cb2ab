"""How a model's folder goes to a model hub that speaks the protocol of Hugging Face's."""

import importlib
import os
import re
from typing import Any

from dt2it_ray.errors import ConfigError, StoreError

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def check_repository(name: str) -> None:
    """Raises ConfigError unless `name` is of the form owner/name."""
    if not REPOSITORY.fullmatch(name):
        raise ConfigError(f"push={name}: a repository is named OWNER/NAME")


def push_folder(folder: str, repository: str, private: bool, message: str) -> str:
    """Make the repository if need be, send the folder as one commit, and return its URL.

    The hub is that of the environment variable HF_ENDPOINT, the token that of HF_TOKEN, or what `hf auth login` keeps.

    Raises:
        ConfigError: the repository is misnamed. StoreError: the hub refuses or does not answer; the folder stays.
    """
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.errors import HfHubHTTPError

    check_repository(repository)
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    # httpx, or httpx2 from version 2 of huggingface_hub on: both have this base of their errors.
    http: Any = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    try:
        made = api.create_repo(repository, private=private, repo_type="model", exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repository, repo_type="model", commit_message=message)
    except HfHubHTTPError as error:
        raise StoreError(f"{api.endpoint} refuses {repository}: {_first_line(error)}. {folder} is complete") from None
    except (OSError, ValueError, http.HTTPError) as error:
        raise StoreError(f"{api.endpoint} cannot be used: {_first_line(error)}. {folder} is complete") from None
    return str(made)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
