"""Run a command that dies with the process that started it, optionally as another user.

`devstack.processes` starts it as a script: `launch.py PARENT_PID SIGNAL UID:GID|- SOCKET|- COMMAND...`. It imports
only the standard library and replaces itself with the command, so the command keeps this pid. SOCKET is the descriptor
of a listening socket, which is passed to the command as systemd does it (sd_listen_fds(3)).
It is a separate script because a `preexec_fn` in a process with threads can deadlock.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess  # nosec
import sys
import time

PR_SET_PDEATHSIG = 1
ORPHAN_CHECK_SECONDS = 0.5
HANDED_OVER = 3  # the first descriptor of systemd's protocol


def main(arguments: list[str]) -> int:
    """Become the command. Returns only where the kernel cannot tie a process to its parent."""
    parent, orphan_signal, user, listening, *command = arguments
    if listening != "-":
        os.dup2(int(listening), HANDED_OVER)
        os.environ["LISTEN_FDS"] = "1"
        command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command]
    if user != "-":
        _become(*(int(part) for part in user.split(":")))
    if sys.platform == "linux":
        # Set after the change of user, which clears it; exec keeps it.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != int(parent):  # the parent had gone before it was set
            return 1
        _execute(command)
    return _guard(int(parent), int(orphan_signal), command)


def _become(uid: int, gid: int) -> None:
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)


def _execute(command: list[str]) -> None:
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def _guard(parent: int, orphan_signal: int, command: list[str]) -> int:
    """Stay as a small intermediary (macOS): forward signals, and end the command when the parent is gone."""
    child = subprocess.Popen(command, close_fds=False)  # noqa: S603
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    sent = False
    while child.poll() is None:
        if os.getppid() != parent and not sent:
            child.send_signal(orphan_signal)
            sent = True
        time.sleep(ORPHAN_CHECK_SECONDS / 10)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
