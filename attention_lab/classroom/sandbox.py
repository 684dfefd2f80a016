"""The sandbox: what an observer's process may see, and whether this machine can make one.

Bubblewrap gives it Python, the libraries and the part of the package that observes, all to be read only, a few small
folders in memory to write in, and nothing else: no network, no file of the course, no other process. When it ends, so does
all that it has started. Inside, observers are kept from each other (`isolation.py`).
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

from .observer import NAME, PACKAGE, PLACES, WHOLE

COURSE = Path("/attention-lab/package")
NOBODY = "1000"  # the user inside: not root, who could not hand his name on to a further user namespace
SYSTEM = "/usr", "/bin", "/lib", "/lib64", "/sbin"
DISK = 64 * 2**20  # bytes in memory, in each of the places to write in
INSTALL = "Install it: `sudo apt-get install bubblewrap` on Debian and Ubuntu, `sudo dnf install bubblewrap` on Fedora."
ALLOW = (
    "In a container, allow user namespaces (Docker: `--security-opt seccomp=unconfined --security-opt "
    "apparmor=unconfined`); on Ubuntu 24.04 and newer, `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
)
OTHERWISE = (
    "Or grade unconfined, where you trust who hands in: `nbgrader autograde LESSON --Judged.no_sandbox=True`. "
    "Scores still come from a process of their own."
)


@cache
def missing() -> str:
    """What this machine lacks for a sandbox and what to do about it; empty if there is nothing."""
    if sys.platform != "linux":
        return "Submissions cannot be confined on this system: that takes Linux (on Windows, WSL 2)."
    if hidden := [prefix for prefix in prefixes() if Path(prefix).is_relative_to("/tmp")]:
        return (
            f"Python lies in {hidden[0]}, but below /tmp each submission sees its own files only: install it elsewhere."
        )
    if not shutil.which("bwrap"):
        return f"bubblewrap, which confines submissions, is not installed. {INSTALL}"
    tried = subprocess.run(confined(["unshare", "--user", "true"]), capture_output=True, text=True)
    if tried.returncode:
        return f"bubblewrap cannot confine anything here ({tried.stderr.strip()}). {ALLOW}"
    return ""


def confined(command: list[str]) -> list[str]:
    """The command that runs this one in a sandbox."""
    arguments = ["--unshare-all", "--unshare-user", "--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL"]
    arguments += ["--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    arguments += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for place in SYSTEM:
        arguments += (
            ["--symlink", os.readlink(place), place] if os.path.islink(place) else ["--ro-bind-try", place, place]
        )
    for prefix in prefixes():
        arguments += ["--ro-bind", prefix, prefix]
    for place in installed():
        arguments += ["--tmpfs", str(place), "--remount-ro", str(place)]
    for place in PLACES:
        arguments += ["--size", str(DISK), "--tmpfs", place]
    for file, place in package():
        arguments += ["--ro-bind", str(file), str(place)]
    return ["bwrap", *arguments, "--remount-ro", "/", "--remount-ro", "/dev", "--chdir", PLACES[-1], "--", *command]


def prefixes() -> list[str]:
    """The folders of Python and its libraries, as far as they are not the system's."""
    real = Path(sys.executable).resolve().parents[1]
    found = {sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix), str(real)}
    return sorted(prefix for prefix in found if not Path(prefix).is_relative_to("/usr"))


def installed() -> list[Path]:
    """Where the whole package lies among the libraries, right answers and all."""
    libraries = {Path(sysconfig.get_path(kind)) / NAME for kind in ("purelib", "platlib")}
    visible = [Path(prefix) for prefix in (*prefixes(), "/usr")]
    return sorted(
        place
        for place in {*libraries, PACKAGE}
        if place.is_dir() and any(place.is_relative_to(prefix) for prefix in visible)
    )


def package() -> list[tuple[Path, Path]]:
    """The files of the package that an observer needs, and where it finds them."""
    parts = [PACKAGE / "classroom" / "observer.py", PACKAGE / "recordings"]
    for module in WHOLE:
        path = PACKAGE.joinpath(*module.split(".")[1:])
        parts.append(path if path.is_dir() else path.with_suffix(".py"))
    return [(part, COURSE / NAME / part.relative_to(PACKAGE)) for part in parts]


def unconfined() -> list[str]:
    """What `nbgrader autograde` needs for submissions that one trusts, where they cannot be confined; else nothing."""
    return ["--Judged.no_sandbox=True"] if missing() else []
