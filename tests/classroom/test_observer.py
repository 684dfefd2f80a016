"""What a submission finds of the package where it is observed."""

import pytest
from classes import worked

from attention_lab.classroom.process import warm


@pytest.fixture(scope="module")
def process():
    made = warm(False).observer()
    yield made
    made.close()


@pytest.mark.parametrize(
    "cell",
    [
        "from attention_lab import data, figures, training\ndata.photo, figures.Picture, training.train",
        "from attention_lab.grading import check, hint, points\ncheck('squeeze-shape', None), hint('squeeze')",
        "%load_ext attention_lab.grading",
        "from attention_lab.mine import SqueezeExcitation",
        "from attention_lab.networks.small import SmallCNN\nfrom attention_lab import papers, networks",
        "from attention_lab.table import Table",
    ],
)
def test_the_imports_of_a_lesson_work(process, cell):
    assert worked(process.run(cell, 30))


@pytest.mark.parametrize(
    "use",
    [
        "from attention_lab.mechanisms import squeeze\nsqueeze(1)",
        "import attention_lab\nattention_lab.squeeze(1)",
        "from attention_lab.mechanisms.squeeze_excitation import squeeze\nsqueeze(1)",
        "from attention_lab import mechanisms\nmechanisms.squeeze_excitation.squeeze(1)",
        "from attention_lab.mine import SqueezeExcitation\nclass Mine(SqueezeExcitation): pass\nMine(8)",
        "from attention_lab.networks import count_parameters\ncount_parameters(1)",
        "from attention_lab.grading.exercises import EXERCISES\nEXERCISES['squeeze'].forms[0](1)",
        "from attention_lab.grading.exercises.squeeze_excitation import Excitation\nExcitation(8)",
        "import importlib\nimportlib.import_module('attention_lab.mechanisms.cbam').CBAM(8)",
    ],
)
def test_no_right_answer_can_be_used(process, use):
    caught = (
        "try:\n    {}\nexcept Exception as error:\n    assert 'own answer' in str(error) or 'EXERCISES' in str(error)"
    )
    assert not worked(process.run(use, 30))
    assert worked(process.run(caught.format(use.replace("\n", "\n    ")), 30))


def test_no_right_answer_is_in_memory(process):
    looked = """
import gc, sys
names = [name for name in sys.modules if name.startswith('attention_lab')]
assert not any('_squeeze' in name or 'judge' in name for name in names), names
assert not any(getattr(thing, '__module__', '') == 'attention_lab.mechanisms.cbam' for thing in gc.get_objects())
"""
    assert worked(process.run(looked, 30))
