"""nbgrader's gradebook, connected to once for a whole command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from nbgrader import api
from sqlalchemy import Engine


@contextmanager
def one_engine() -> Iterator[None]:
    """Let nbgrader connect to its gradebook and look for its tables once, where it does a dozen times for every submission."""
    if api.create_engine is not sqlalchemy.create_engine:  # the command does so already
        yield
        return
    tables = api.Base.metadata
    connect, create_all, engines, complete = api.create_engine, tables.create_all, {}, set()

    def once(url: str, **settings: Any) -> Engine:
        if url not in engines:
            engines[url] = connect(url, **settings)
            engines[url].dispose, engines[url].end = lambda: None, engines[url].dispose
        return engines[url]

    def create_once(bind: Engine) -> None:
        if bind not in complete:
            create_all(bind=bind)
            complete.add(bind)

    api.create_engine, tables.create_all = once, create_once
    try:
        yield
    finally:
        api.create_engine, tables.create_all = connect, create_all
        for engine in engines.values():
            engine.end()
