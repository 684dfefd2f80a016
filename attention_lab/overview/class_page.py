"""A class -> the page that its teacher reads: one file that needs nothing else, as the feedback page."""

import random
from dataclasses import replace
from statistics import mean, median

from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from ..classroom.standing import UNGRADED
from ..feedback.page import POLICY, TEMPLATES
from .learners import Learner
from .tally import bars, consequences, held, stopped, tallies, untouched

PAGES = TEMPLATES.overlay(loader=ChoiceLoader([PackageLoader("attention_lab.overview", ""), TEMPLATES.loader]))


def page(lesson: str, learners: list[Learner]) -> str:
    """The page of a lesson. Names stand in the order of the learners."""
    graded = [learner for learner in learners if learner.is_graded]
    scores = [learner.score for learner in graded]
    of = max((learner.of for learner in graded), default=0)
    place = {learner.name: number for number, learner in enumerate(learners)}
    return PAGES.get_template("class.html.j2").render(
        lesson=lesson,
        policy=POLICY,
        css=Markup("\n".join(PAGES.loader.get_source(PAGES, name)[0] for name in ("page.css", "class.css"))),
        in_order=lambda names: sorted(names, key=place.get),
        learners=learners,
        graded=graded,
        of=of,
        mean=mean(scores) if scores else 0,
        median=median(scores) if scores else 0,
        bars=bars(scores, of) if scores else [],
        tallies=tallies(graded),
        held=held(graded),
        consequences=consequences(graded),
        stuck=stopped(graded),
        untouched=untouched(graded),
        waiting={
            id: [each.name for each in graded if id in each.marks and each.marks[id].waiting]
            for id in dict.fromkeys(id for each in graded for id, mark in each.marks.items() if mark.waiting)
        },
        ungraded={
            status: those
            for status in UNGRADED
            if (those := [learner for learner in learners if learner.status == status])
        },
    )


def without_names(learners: list[Learner]) -> list[Learner]:
    """The same class in another order, as Student 1, Student 2, ...; reasons may hold names of files, so there are none."""
    shuffled = random.sample(learners, len(learners))
    return [replace(learner, name=f"Student {i}", reason="") for i, learner in enumerate(shuffled, 1)]
