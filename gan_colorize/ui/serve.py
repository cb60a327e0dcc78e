"""From an application to a server that runs until Ctrl-C: the port, the browser, the end."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import closing

from ..errors import UserError
from .guard import SERVER_NAME, App

ADDRESS = "127.0.0.1"  # this machine and no other
_PROBE_SECONDS = 2.0
# Answers that are under way when the server ends.
_GRACE_SECONDS = 3


def listen(port: int) -> socket.socket:
    """A listening socket on this machine's own address; port 0 takes one that is free.

    Raises:
        UserError: the port is taken, by a server of ours or by something else, or may not be used.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "nt":
            # On Windows SO_REUSEADDR would let two programs have one port.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # else a port stays taken for a minute after a server has ended
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((ADDRESS, port))
        # At once: two sockets that do not listen may share a port, and the loser would learn it later.
        listening.listen(128)
        return listening
    except OSError as error:
        listening.close()
        if error.errno not in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)):
            raise UserError(f"--port {port}: {error.strerror or error}; choose another") from error
        if _is_ours(port):
            raise UserError(
                f"gan-colorize is running already at http://{ADDRESS}:{port}; open that in a browser, or "
                "name another --port"
            ) from error
        raise UserError(
            f"--port {port}: used by another program; name another, such as {port + 1}"
        ) from error


def address_of(listening: socket.socket) -> str:
    """What to type into a browser."""
    return f"http://{ADDRESS}:{listening.getsockname()[1]}"


def serve(
    app: App, listening: socket.socket, browser: bool, say: Callable[[str], None] = lambda line: None
) -> None:
    """Run until SIGINT (which is the ordinary end) or SIGTERM; both let what is being sent be finished.

    browser: open the page there. say: receives the address when all is ready.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,  # the guard names the server
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    address = address_of(listening)
    say(f"{address}  (Ctrl-C ends the server)")
    if browser:
        # The socket listens already: a browser that is quick waits for its answer. In a thread, for some
        # systems' browsers return only when they are closed.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    with closing(listening):
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt as error:
            if type(error) is not KeyboardInterrupt:
                raise


def _is_ours(port: int) -> bool:
    """Whether what listens on the port says that it is this program."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("HEAD", "/")
        server = connection.getresponse().getheader("server", "")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return server.partition("/")[0] == SERVER_NAME.partition("/")[0]
