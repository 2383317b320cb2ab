"""Where a server can listen: loopback or not, which port is free, and what its URL is."""

import ipaddress
import socket

from dt2it_ray.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server on `host`. Names other than localhost count as open."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def free_port(host: str, port: int) -> int:
    """`port` if one can listen on it, or any free one for 0.

    Raises:
        ConfigError: the port is taken or the host is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as listener:
            return listener.getsockname()[1]
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}. Choose another with --host or --port.") from None


def url_of(host: str, port: int) -> str:
    """The URL under which this machine reaches a server on `host` (which may stand for all addresses)."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
