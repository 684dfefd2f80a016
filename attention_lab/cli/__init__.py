"""`attention-lab`: the course's commands, the same words on every system."""

import errno
import sysconfig
from pathlib import Path
from typing import Any

import click

from .. import __version__
from . import author, instructor, learner
from .asked import CourseError
from .terminal import prepend


class Commands(click.Group):
    """Says in one line where a command may not write, without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except PermissionError as error:
            place = f" in {Path(error.filename).parent}" if error.filename else ""
            raise CourseError(f"no permission to write{place}: work in a folder of your own.") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
                raise
            raise CourseError(f"cannot write {error.filename or ''}: {error.strerror}.") from error
        except Exception as error:
            # of a database, whose package is not loaded for every command
            if type(error).__name__ != "OperationalError":
                raise
            raise CourseError(f"the gradebook cannot be opened or written: {error.orig}.") from error


@click.group(cls=Commands)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Learn attention in computer vision by building it."""
    # Jupyter and nbgrader look their own commands up on PATH, also where the environment is not activated.
    prepend("PATH", sysconfig.get_path("scripts"))


for room in (learner, instructor, author):
    for command in vars(room).values():
        if isinstance(command, click.Command):
            main.add_command(command)
