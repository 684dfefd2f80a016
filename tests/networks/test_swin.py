"""Swin: window attention in stages."""

import pytest
import torch
from torch.testing import assert_close

from attention_lab.mechanisms import WindowAttention
from attention_lab.networks import SwinTransformer, create
from attention_lab.networks.swin import PatchMerging


@pytest.fixture(scope="module")
def small():
    """Two stages of windows of 2 x 2 on maps of 4 x 4 and 2 x 2."""
    torch.manual_seed(0)
    return SwinTransformer(8, (2, 2), (2, 4), num_classes=3, image_size=16, size=2).double().eval()


def test_windows_of_every_second_block_are_shifted_unless_one_is_the_whole_map():
    with torch.device("meta"):
        shifts = [module.shift for module in create("swin_t").modules() if isinstance(module, WindowAttention)]
    assert shifts == [0, 3, 0, 3] + [0, 3] * 3 + [0, 0]


def test_four_neighbours_become_one_token_in_the_authors_order():
    merging = PatchMerging(1)
    merging.norm, merging.reduction = torch.nn.Identity(), torch.nn.Identity()
    x = torch.arange(8.0).view(1, 2, 4, 1)
    assert merging(x).tolist() == [[[[0, 4, 1, 5], [2, 6, 3, 7]]]]


def test_each_image_has_its_own_scores_and_all_parameters_learn(small):
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert_close(small(x)[1:], small(x[1:]))
    small(x).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in small.parameters())
    assert sum(not parameter.grad.any() for parameter in small.parameters()) == 0


def test_weights_start_narrow_and_biases_at_zero(small):
    for name, parameter in small.named_parameters():
        if "attention" in name or "mlp" in name:
            assert parameter.abs().max() < 0.1 or "norm" in name
            assert not name.endswith("mlp.0.bias") or not parameter.any()


@pytest.mark.parametrize(("size", "message"), [(3, "must be a multiple"), (0, "size must be")])
def test_windows_that_do_not_fit_are_refused(size, message):
    with pytest.raises(ValueError, match=message):
        SwinTransformer(8, (2, 2), (2, 4), image_size=16, size=size)


@pytest.mark.usefixtures("unchecked")
def test_an_image_of_another_size_is_refused(small):
    with pytest.raises(ValueError, match=r"x must have shape \(N, 3, 16, 16\)"):
        small(torch.zeros(1, 3, 32, 32, dtype=torch.float64))
