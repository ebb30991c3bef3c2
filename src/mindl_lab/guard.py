"""The guarded side of grading: a warm process that forks one locked-in child for each piece of student's work.

``python -I guard.py`` reads requests from its standard input, one JSON object a line, and answers in the same way.
It holds nothing secret: a request names a folder and limits. Each child gets what the system offers of

- a process tree, a network and a mount table of its own (namespaces), so that everything it starts ends with it,
- a user of its own (only where the guard runs as root),
- limits of memory, processor time, file size, open files and processes,
- a view of the files that holds Python and its own folder and nothing else (Landlock, kernel 5.13 and later).

What the system does not offer is named by `missing`, and the grader says so. Linux only; standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
BIND, REC, PRIVATE = 0x1000, 0x4000, 0x40000
NO_NEW_PRIVILEGES, SUBREAPER = 38, 36
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
READ, LIST = 1 | 4 | 8, 8
"""Landlock's rights to execute and read files and to list folders."""
FILE_RIGHTS = 1 | 2 | 4 | 1 << 14 | 1 << 15
FOLDER_SIZE = 256 * 2**20
"""Bytes that a child may leave in its folder, in all files together."""

_libc = ctypes.CDLL(None, use_errno=True)


def readable(forbidden: list[str]) -> list[str]:
    """What a child may read: Python's own folders and the system's libraries, without the ``forbidden`` paths."""
    found = {path for root in listed() for path in _without(Path(root), {Path(f).resolve() for f in forbidden})}
    return sorted(path for path in found if not found & {str(parent) for parent in Path(path).parents})


def listed() -> list[str]:
    """Where a child may see names, as Python's import does."""
    roots = {sys.prefix, sys.base_prefix, "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"}
    roots |= {path for path in sys.path if path} | {"/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo"}
    return sorted({str(Path(root).resolve()) for root in roots if Path(root).exists()})


def _without(root: Path, forbidden: set[Path]) -> Iterator[str]:
    if root in forbidden:
        return
    if root.is_dir() and any(root in path.parents for path in forbidden):
        for child in root.iterdir():
            yield from _without(child.resolve(), forbidden)
    else:
        yield str(root)


def _landlock_version() -> int:
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def _lock_files(allowed: list[str], names: list[str], folder: str) -> None:
    """Landlock: read what is allowed, list ``names``, write below ``folder``, no TCP, no signals outside."""
    version = _landlock_version()
    if not version:
        return
    rights = (1 << 13) - 1
    rights |= sum(1 << bit for bit, since in ((13, 2), (14, 3), (15, 5)) if version >= since)
    fields = [rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0]
    size = 8 * (3 if version >= 6 else 2 if version >= 4 else 1)
    attributes = (ctypes.c_uint64 * 3)(*fields)
    ruleset = _libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "no ruleset of Landlock")
    devices = ["/dev/null", "/dev/urandom", "/dev/zero"]
    rules = [(path, READ) for path in (*allowed, *devices)] + [(path, LIST) for path in names]
    rules += [(folder, rights), ("/dev/null", 2 | 4)]
    for path, wanted in rules:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        granted = wanted & rights if os.path.isdir(path) else wanted & rights & FILE_RIGHTS  # noqa: PTH112
        rule = granted.to_bytes(8, "little") + handle.to_bytes(4, "little")
        if _libc.syscall(ADD_RULE, ruleset, 1, rule, 0):
            raise OSError(ctypes.get_errno(), f"no rule of Landlock for {path}")
        os.close(handle)
    if _libc.syscall(RESTRICT_SELF, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock does not lock")
    os.close(ruleset)


def _own_namespaces() -> bool:
    """Leave the system's processes, network and mounts; True where that worked."""
    wanted = NEW_MOUNTS | NEW_IPC | NEW_PROCESSES | NEW_NETWORK
    if os.getuid() == 0:
        return bool(_libc.unshare(wanted) == 0)
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(wanted | NEW_USER):
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def missing() -> list[str]:
    """Which walls this system does not offer, in words; found by trying."""
    gaps = []
    child = os.fork()
    if child == 0:
        os._exit(0 if _own_namespaces() else 1)
    if os.waitpid(child, 0)[1]:
        gaps.append("no network or process tree of its own (namespaces are not allowed here)")
    if os.getuid():
        gaps.append("no user of its own (the grader does not run as root)")
    if not _landlock_version():
        gaps.append("other files that your account can read stay readable (no Landlock in this kernel)")
    return gaps


def _uncover(paths: list[str]) -> None:
    """Make ``paths`` reachable for every user, inside this mount namespace.

    Python may lie in a folder that only its owner may enter (a root's home). An empty folder is mounted over that
    one, and the paths are bound into it again; nothing else of it is left to see.
    """
    if _libc.mount(b"none", b"/", None, REC | PRIVATE, None):
        raise OSError(ctypes.get_errno(), "the mounts cannot be made private")
    closed: dict[Path, list[str]] = {}
    for path in paths:
        for parent in reversed(Path(path).parents):
            if not parent.stat().st_mode & 1:
                closed.setdefault(parent, []).append(path)
                break
    for cover, hidden in closed.items():
        kept = [(path, os.open(path, os.O_PATH)) for path in hidden]
        if _libc.mount(b"none", os.fsencode(cover), b"tmpfs", 0, b"mode=755"):
            raise OSError(ctypes.get_errno(), f"nothing can be mounted over {cover}")
        for path, handle in kept:
            place = Path(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            source = Path(f"/proc/self/fd/{handle}")
            place.mkdir() if source.is_dir() else place.touch()
            if _libc.mount(os.fsencode(source), os.fsencode(path), None, BIND | REC, None):
                raise OSError(ctypes.get_errno(), f"{path} cannot be mounted")
            os.close(handle)


def _limits(request: dict[str, Any], *, apart: bool) -> None:
    import resource  # noqa: PLC0415  (POSIX only)

    seconds = int(request["seconds"]) + 2
    limits = {
        resource.RLIMIT_AS: request["memory"],
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 64 * 2**20,
        resource.RLIMIT_NOFILE: 128,
        resource.RLIMIT_CORE: 0,
    }
    if apart:
        limits[resource.RLIMIT_NPROC] = 24
    for name, value in limits.items():
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def _lock_in(request: dict[str, Any], *, namespaces: bool) -> None:
    """Put up the walls around this process, which is to run a student's work."""
    folder = request["folder"]
    os.chdir(folder)
    printed = os.open("printed.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _lock_files(request["readable"], request["listed"], folder)
    if os.getuid() == 0:
        os.fchown(printed, request["user"], request["user"])
        os.setgroups([])
        os.setresgid(request["user"], request["user"], request["user"])
        os.setresuid(request["user"], request["user"], request["user"])
    _limits(request, apart=namespaces or os.getuid() == request["user"])
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


def _child(request: dict[str, Any], trouble: int, *, namespaces: bool) -> None:
    """Become the student's process; does not return. What goes wrong before is written into ``trouble``."""
    try:
        _lock_in(request, namespaces=namespaces)
    except BaseException as error:
        os.write(trouble, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.closerange(3, 4096)
    status = 70
    try:
        _caller.main(Path(request["folder"]))
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        status = 0
    finally:
        os._exit(status)


def _size(folder: str) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for place, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
    return total


def _keeper(request: dict[str, Any]) -> dict[str, Any]:
    """Start the child, watch time and folder, and leave nothing alive that it started."""
    os.setsid()
    _libc.prctl(SUBREAPER, 1, 0, 0, 0)
    namespaces = _own_namespaces()
    if namespaces and os.getuid() == 0:
        _uncover([*request["readable"], request["folder"]])
    start, outcome, status = time.monotonic(), "", 0
    trouble, into = os.pipe()
    child = os.fork()
    if child == 0:
        _child(request, into, namespaces=namespaces)
    os.close(into)
    with os.fdopen(trouble, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    if said:
        os.waitpid(child, 0)
        return {"outcome": "guard", "status": 0, "seconds": 0.0, "why": said}
    pause, looked = 0.002, start
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        now = time.monotonic()
        if ended:
            break
        if now - start > request["seconds"]:
            outcome = "time"
        elif now - looked > 0.3:
            looked = now
            outcome = "size" if _size(request["folder"]) > FOLDER_SIZE else ""
        if outcome:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(pause)
        pause = min(0.05, pause * 1.3)
    if not namespaces:  # else the kernel has ended the whole tree with its first process
        _end_the_rest(request["user"] if os.getuid() == 0 else None)
    code = os.waitstatus_to_exitcode(status)
    return {
        "outcome": outcome or ("ended" if code == 0 else "killed"),
        "status": code,
        "seconds": time.monotonic() - start,
    }


def _end_the_rest(user: int | None) -> None:
    """End what outlived the child: of its own user, or what this process inherited."""
    if user is not None:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.setresuid(user, user, user)
                os.kill(-1, signal.SIGKILL)
            os._exit(0)
        os.waitpid(child, 0)
    for _ in range(100):
        heirs = []
        with contextlib.suppress(OSError):
            heirs = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for heir in heirs:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(heir), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0 if heirs else os.WNOHANG)[0]:
                pass
        if not heirs:
            return


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Fork a keeper for the request and take its word, sent through a pipe."""
    out, into = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(out)
        try:
            reply = _keeper(request)
        except BaseException as error:
            reply = {"outcome": "guard", "status": 0, "seconds": 0.0, "why": f"{type(error).__name__}: {error}"}
        os.write(into, json.dumps(reply).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        content = pipe.read()
    os.waitpid(keeper, 0)
    return (
        json.loads(content)
        if content
        else {"outcome": "guard", "status": 0, "seconds": 0.0, "why": "it was ended"}
    )


def serve() -> None:
    """Answer requests until the input ends."""
    import numpy  # noqa: F401, PLC0415  (imported once, for every child)
    import pytest  # noqa: F401, PLC0415

    for name in ("resource", *sys.argv[1:]):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)

    print(json.dumps({"missing": missing()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _neighbour(name: str) -> Any:
    """The file beside this one, without its package: a child must not find the checks in memory."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    _caller = _neighbour("caller")
    serve()
