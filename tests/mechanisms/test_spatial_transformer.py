"""Spatial transformer: look at a part of the image by resampling it."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import SpatialTransformer, affine_grid, bilinear_sample

few = settings(deadline=None, max_examples=25, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
exact = {"rtol": 1e-10, "atol": 1e-10}
identity = torch.eye(2, 3, dtype=torch.float64)[None]


def torch_sample(image, grid):
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 7), (5, 3)])
def test_affine_grid_equals_torchs_with_its_gradient(noise, height, width):
    ours, theirs = noise(3, 2, 3).requires_grad_(), noise(3, 2, 3).requires_grad_()
    grid = affine_grid(ours, height, width)
    expected = F.affine_grid(theirs, [3, 1, height, width], align_corners=False)
    assert_close(grid, expected, **exact)
    signal = noise(*grid.shape, seed=1)
    grid.backward(signal)
    expected.backward(signal)
    assert_close(ours.grad, theirs.grad, **exact)


def test_affine_grid_gives_x_then_y_of_pixel_centres():
    """A 2 by 4 output: rows at -1/2 and 1/2, columns at -3/4, -1/4, 1/4, 3/4; a shift in x moves x alone."""
    grid = affine_grid(identity, 2, 4)
    assert grid[0, 0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert grid[0, :, 0, 1].tolist() == [-0.5, 0.5]
    shifted = identity.clone()
    shifted[0, 0, 2] = 0.25
    moved = affine_grid(shifted, 2, 4) - grid
    assert (moved[..., 0] == 0.25).all() and (moved[..., 1] == 0).all()


@pytest.mark.parametrize("spread", [0.8, 1.5, 5.0])
def test_bilinear_sample_equals_torchs_with_its_gradients(noise, spread):
    """On a map that is not square, at points inside, at the rim and far outside."""
    image, grid = noise(2, 3, 5, 8), spread * noise(2, 6, 7, 2, seed=1)
    ours = image.requires_grad_(), grid.requires_grad_()
    theirs = image.detach().clone().requires_grad_(), grid.detach().clone().requires_grad_()
    output, expected = bilinear_sample(*ours), torch_sample(*theirs)
    assert output.shape == (2, 3, 6, 7)
    assert_close(output, expected, **exact)
    signal = noise(*output.shape, seed=2)
    output.backward(signal)
    expected.backward(signal)
    for mine, reference in zip(ours, theirs):
        assert_close(mine.grad, reference.grad, **exact)


def test_exactly_on_pixels_and_edges_it_equals_torchs_with_its_gradients(noise):
    """Where bilinear interpolation has a kink, the gradient is that of the cell to the right and below, as in torch."""
    x = (2 * torch.arange(-3, 12, dtype=torch.float64)) / 8  # pixel j + 1/2 and the pixels' edges, with 8 columns
    y = (2 * torch.arange(-3, 8, dtype=torch.float64) + 1) / 4 - 1  # the centres of 4 rows, and beyond
    grid = torch.stack(torch.meshgrid(torch.cat((x - 1, x - 1 + 1 / 8)), y, indexing="xy"), -1)[None]
    ours, theirs = grid.clone().requires_grad_(), grid.clone().requires_grad_()
    image = noise(1, 2, 4, 8)
    output, expected = bilinear_sample(image, ours), torch_sample(image, theirs)
    assert_close(output, expected, **exact)
    output.sum().backward()
    expected.sum().backward()
    assert_close(ours.grad, theirs.grad, **exact)


def test_bilinear_sample_is_its_equation(noise):
    """The sum over all pixels of max(0, 1 - |x - column|) max(0, 1 - |y - row|) times the pixel."""
    image, grid = noise(1, 2, 4, 6), noise(1, 3, 5, 2, seed=1)
    x, y = ((grid[0, ..., 0] + 1) * 6 - 1) / 2, ((grid[0, ..., 1] + 1) * 4 - 1) / 2
    expected = torch.zeros(1, 2, 3, 5, dtype=torch.float64)
    for row in range(4):
        for column in range(6):
            weight = (1 - (x - column).abs()).clamp_min(0) * (1 - (y - row).abs()).clamp_min(0)
            expected += weight * image[:, :, row, column, None, None]
    assert_close(bilinear_sample(image, grid), expected)


@few
@given(seed=seeds, height=st.integers(1, 7), width=st.integers(1, 7))
def test_the_identity_gives_back_the_image_to_its_last_column(noise, seed, height, width):
    image = noise(2, 3, height, width, seed=seed)
    assert_close(bilinear_sample(image, affine_grid(identity.expand(2, 2, 3), height, width)), image)


def test_a_shift_of_the_grid_by_one_pixel_moves_the_image_the_other_way(noise):
    """theta maps output to input: looking further right shows the image further left, and black comes in."""
    image, theta = noise(1, 2, 4, 6), identity.clone()
    theta[0, 0, 2] = 2 / 6
    expected = torch.cat((image[..., 1:], torch.zeros(1, 2, 4, 1, dtype=torch.float64)), 3)
    assert_close(bilinear_sample(image, affine_grid(theta, 4, 6)), expected)


def test_zooming_by_one_half_reads_the_middle(noise):
    """Half the size at half the zoom: the middle of the image, pixel by pixel."""
    image = noise(1, 2, 4, 8)
    theta = 0.5 * identity
    assert_close(bilinear_sample(image, affine_grid(theta, 2, 4)), image[:, :, 1:3, 2:6])


def test_far_outside_all_is_black(noise):
    grid = torch.tensor([[1e6, 0.0], [0.0, -1e6], [1e30, -1e30], [1.5, 0.0]], dtype=torch.float64)[None, None]
    assert (bilinear_sample(noise(1, 2, 4, 6), grid) == 0).all()


def test_sampling_passes_gradcheck(noise):
    image, theta = noise(1, 2, 3, 4).requires_grad_(), (identity + 0.3 * noise(1, 2, 3, seed=1)).requires_grad_()

    def resample(image, theta):
        return bilinear_sample(image, affine_grid(theta, 3, 5))

    assert torch.autograd.gradcheck(resample, (image, theta))


def localisation(channels=2, size=20, bias=True):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size, 8), nn.ReLU(), nn.Linear(8, 6, bias=bias)).double()


@few
@given(seed=seeds)
def test_a_fresh_transformer_is_the_identity_for_any_image(noise, seed):
    x, transformer = noise(2, 2, 4, 5, seed=seed), SpatialTransformer(localisation())
    assert torch.equal(transformer.weights(x), identity.expand(2, 2, 3))
    assert_close(transformer(x), x)


def test_a_fresh_transformer_learns_from_its_first_step(noise):
    """The gradient reaches the last layer through the sampling points."""
    transformer = SpatialTransformer(localisation())
    transformer(noise(2, 2, 4, 5)).square().sum().backward()
    last = transformer.localisation[-1]
    assert (last.bias.grad != 0).all() and last.weight.grad.abs().sum() > 0


def test_the_transformer_reads_x_where_its_localisation_says(noise, randomised):
    x, transformer = noise(2, 2, 4, 5), randomised(SpatialTransformer(localisation()))
    theta = transformer.localisation(x).view(2, 2, 3)
    assert_close(transformer.weights(x), theta)
    assert_close(transformer(x), torch_sample(x, F.affine_grid(theta, [2, 2, 4, 5], align_corners=False)))


def test_in_half_precision_the_pixels_are_still_the_right_ones():
    """bfloat16 counts to 256 only: in the last row, pixels 0 and 48 are read, not their neighbours."""
    image = torch.arange(1.0, 65).expand(1, 1, 8, 64).bfloat16()
    centres = torch.tensor([[[[1 / 64 - 1, 0.875], [97 / 64 - 1, 0.875]]]]).bfloat16()
    assert bilinear_sample(image, centres).flatten().tolist() == [1, 49]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: affine_grid(torch.zeros(2, 6), 3, 3), r"theta must have shape \(N, 2, 3\), got \(2, 6\)"),
        (lambda: affine_grid(torch.zeros(2, 3, 2), 3, 3), r"theta must have shape \(N, 2, 3\), got \(2, 3, 2\)"),
        (lambda: affine_grid(torch.zeros(2, 2, 3), 0, 3), "height must be an integer of at least 1, got 0"),
        (lambda: bilinear_sample(torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, 2)), "image must have shape"),
        (lambda: bilinear_sample(torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 4)), "grid must have shape"),
        (lambda: bilinear_sample(torch.zeros(2, 3, 4, 4), torch.zeros(3, 4, 4, 2)), "for each of the 2 images, got"),
        (lambda: SpatialTransformer(nn.Flatten()), "localisation must end in a Linear layer with 6 outputs"),
        (lambda: SpatialTransformer(nn.Linear(4, 3)), "localisation must end in a Linear layer with 6 outputs"),
        (lambda: SpatialTransformer(localisation(bias=False)), "6 outputs and biases"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("height", "width", "named"), [(0, 4, "height"), (4, 0, "width")])
def test_a_grid_of_no_size_is_refused_by_name(height, width, named):
    with pytest.raises(ValueError, match=named):
        affine_grid(identity, height, width)


@pytest.mark.usefixtures("unchecked")
def test_wrong_shapes_are_told_by_the_names_of_their_axes(noise):
    with pytest.raises(ValueError, match=r"image must have shape \(N, C, H, W\)"):
        bilinear_sample(noise(3, 4, 5), noise(1, 4, 5, 2))
    with pytest.raises(ValueError, match=r"grid must have shape \(N, h, w, 2\)"):
        bilinear_sample(noise(1, 3, 4, 5), noise(1, 4, 5, 3))


def test_a_pose_is_given_in_the_kind_of_number_that_the_image_has(noise):
    pose = SpatialTransformer(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 6)))
    image = noise(2, 3, 4, 5)
    pose.localisation.register_forward_hook(lambda module, inputs, output: output.float())
    assert pose.double().weights(image).dtype == pose(image).dtype == torch.float64
