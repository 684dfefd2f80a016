"""What holds for every mechanism, whatever it weights."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab import mechanisms
from attention_lab.mechanisms import (
    BAM,
    CBAM,
    ECA,
    ChannelAttention,
    ChannelGate,
    CoordinateAttention,
    DeformableAttention,
    EncoderBlock,
    MultiHeadSelfAttention,
    PatchEmbedding,
    SelectiveKernel,
    SpatialAttention,
    SpatialGate,
    SpatialTransformer,
    SqueezeExcitation,
    WindowAttention,
    ZeroStart,
    affine_grid,
    bilinear_sample,
    window_partition,
    window_reverse,
)

MAP, TOKENS = (3, 4, 4, 6), (3, 5, 8)


def transformer():
    return SpatialTransformer(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)))


def of_windows(m, w, x):
    rolled = x.roll((-m.shift, -m.shift), (2, 3)).movedim(1, 3)
    values = m.attention.qkv(window_partition(rolled, m.size))[..., 8:].unflatten(2, (2, 2)).transpose(1, 2)
    tokens = m.attention.projection((w @ values).transpose(1, 2).flatten(2))
    return window_reverse(tokens, m.size, *x.shape[2:]).movedim(3, 1).roll((m.shift, m.shift), (2, 3))


def of_points(m, w, x):
    height, width = x.shape[2:]
    pixel = 2 / torch.tensor([width, height])
    here = affine_grid(torch.eye(2, 3, dtype=x.dtype).expand(len(x), -1, -1), height, width)
    read = (bilinear_sample(x, here + offset * pixel) for offset in m.offsets(x).unbind(1))
    return sum(weight[:, None] * seen for weight, seen in zip(w.unbind(1), read))


# What builds the module, the shape of x, and how weights and x make the output, where there are weights.
CATALOGUE = {
    "squeeze_excitation": (lambda: SqueezeExcitation(4, 1), MAP, lambda m, w, x: w * x),
    "channel_attention": (lambda: ChannelAttention(4, 1), MAP, lambda m, w, x: w * x),
    "spatial_attention": (lambda: SpatialAttention(3), MAP, lambda m, w, x: w * x),
    "cbam": (lambda: CBAM(4, 1, 3), MAP, lambda m, w, x: w[0] * w[1] * x),
    "channel_gate": (lambda: ChannelGate(4, 1), MAP, None),
    "spatial_gate": (lambda: SpatialGate(4, 1, 2), MAP, None),
    "bam": (lambda: BAM(4, 1, 2), MAP, lambda m, w, x: x + w * x),
    "selective_kernel": (
        lambda: SelectiveKernel(4, 2, groups=2, min_width=8),
        MAP,
        lambda m, w, x: (w * torch.stack([branch(x) for branch in m.branches], 1)).sum(1),
    ),
    "selective_kernel_of_three": (
        lambda: SelectiveKernel(4, 3, groups=2, min_width=8),
        MAP,
        lambda m, w, x: (w * torch.stack([branch(x) for branch in m.branches], 1)).sum(1),
    ),
    "multi_head_self_attention": (
        lambda: MultiHeadSelfAttention(8, 2),
        TOKENS,
        lambda m, w, x: m.projection(
            (w @ m.qkv(x)[..., 16:].unflatten(2, (2, 4)).transpose(1, 2)).transpose(1, 2).flatten(2)
        ),
    ),
    "encoder_block": (
        lambda: EncoderBlock(8, 2),
        TOKENS,
        lambda m, w, x: (lambda y: y + m.mlp(m.norm2(y)))(
            x + CATALOGUE["multi_head_self_attention"][2](m.attention, w, m.norm1(x))
        ),
    ),
    "patch_embedding": (lambda: PatchEmbedding(4, 2, 5), MAP, None),
    "eca": (lambda: ECA(4), MAP, lambda m, w, x: w * x),
    "coordinate_attention": (lambda: CoordinateAttention(4), MAP, lambda m, w, x: w[0] * w[1] * x),
    "window_attention": (lambda: WindowAttention(4, 2, size=2), MAP, lambda m, w, x: of_windows(m, w, x)),
    "shifted_window_attention": (lambda: WindowAttention(4, 2, 2, shift=1), MAP, lambda m, w, x: of_windows(m, w, x)),
    "deformable_attention": (lambda: DeformableAttention(4), MAP, lambda m, w, x: of_points(m, w, x)),
    "zero_start": (lambda: ZeroStart(SqueezeExcitation(4, 1)), MAP, None),
    "spatial_transformer": (transformer, MAP, lambda m, w, x: bilinear_sample(x, affine_grid(w, *x.shape[2:]))),
}

every = pytest.mark.parametrize("name", CATALOGUE)


@pytest.fixture
def case(name, noise, randomised):
    """The module in evaluation with nothing left at its default, and an input."""
    build, shape, _ = CATALOGUE[name]
    return randomised(build()).eval(), noise(*shape, seed=7)


def test_the_catalogue_is_complete():
    modules = {public for public in vars(mechanisms).values() if isinstance(public, type)}
    assert modules == {type(build()) for build, _, _ in CATALOGUE.values()}


def test_public_names_are_in_alphabetical_order_and_documented():
    order = {name: (not name.isupper(), name[0].islower(), name) for name in mechanisms.__all__}
    assert mechanisms.__all__ == sorted(mechanisms.__all__, key=order.get)  # abbreviations, classes, functions
    assert all(getattr(mechanisms, name).__doc__ for name in mechanisms.__all__)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", [name for name, (_, _, combine) in CATALOGUE.items() if combine])
def test_the_output_is_x_combined_with_the_weights(case, name, training):
    module, x = case
    module.train(training)
    assert_close(module(x), CATALOGUE[name][2](module, module.weights(x), x))


@pytest.mark.parametrize("training", [True, False])
@every
def test_gradients_are_right(case, training):
    """Those of the input and of every parameter, against finite differences."""
    module, x = case
    module.train(training)
    names, values = zip(*module.named_parameters())

    def call(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values)), (x,))

    inputs = [tensor.detach().clone().requires_grad_() for tensor in (x, *values)]
    assert torch.autograd.gradcheck(call, inputs, fast_mode=True)


@every
def test_every_parameter_matters(case):
    module, x = case
    module(x).square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in module.parameters())


@every
def test_in_evaluation_images_do_not_see_each_other(case):
    """A batch of one gives what the batch gave, whatever else is in it."""
    module, x = case
    output = module(x)
    for n in range(len(x)):
        assert_close(module(x[n : n + 1]), output[n : n + 1])


@every
def test_an_empty_batch_gives_an_empty_batch(case):
    module, x = case
    expected = (0, *module(x).shape[1:])
    assert module(x[:0]).shape == expected
    assert module(x[:0].requires_grad_()).shape == expected


@pytest.mark.parametrize("training", [True, False])
@every
def test_the_input_is_left_as_it_was(case, training):
    module, x = case
    before = x.clone()
    module.train(training)(x)
    assert torch.equal(x, before)


@every
def test_memory_layout_does_not_matter(case):
    """Transposed, strided and, for maps, channels-last inputs give the same output."""
    module, x = case
    output = module(x)
    layouts = [x.mT.contiguous().mT, torch.stack((x, -x), -1)[..., 0]]
    if x.ndim == 4:
        layouts.append(x.to(memory_format=torch.channels_last))
    for layout in layouts:
        assert not layout.is_contiguous()
        assert_close(module(layout), output)
    if x.ndim == 4:
        assert_close(copy.deepcopy(module).to(memory_format=torch.channels_last)(layouts[-1]), output)


@every
def test_output_follows_the_dtype_and_the_device_of_the_module(case):
    module, x = case
    assert module(x).dtype == torch.float64
    single = copy.deepcopy(module).float()
    assert single(x.float()).dtype == torch.float32
    assert_close(single(x.float()), module(x).float(), rtol=1e-3, atol=1e-4)
    assert single.to("meta")(x.float().to("meta")).device.type == "meta"


@pytest.mark.parametrize("training", [True, False])
@every
def test_autocast_to_bfloat16_is_close(case, training):
    """Forward and backward run, and the output is the exact one to bfloat16's three digits."""
    module, x = case
    module, x = module.float().train(training), x.float().requires_grad_()
    exact = module(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        output = module(x)
    output.float().sum().backward()
    assert x.grad.isfinite().all()
    assert (output - exact).norm() < 0.05 * exact.norm()


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's attention loops under vmap
@every
def test_vmap_over_a_further_dimension_is_a_loop(case):
    module, x = case
    stacked = torch.stack((x, -x))
    assert_close(torch.func.vmap(module)(stacked), torch.stack((module(x), module(-x))))


@every
@pytest.mark.usefixtures("unchecked")
def test_torch_compile_traces_the_whole_module(case):
    """As one graph, with its gradient."""
    module, x = case
    torch.compiler.reset()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x), module(x))
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    compiled(ours).square().sum().backward()
    module(theirs).square().sum().backward()
    assert_close(ours.grad, theirs.grad)


@every
@pytest.mark.usefixtures("unchecked")
def test_torch_export_gives_one_program_for_all_sizes(case):
    """For any batch, and for maps of any height and width (that the patches divide)."""
    module, x = case
    sizes = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO) if x.ndim == 4 else {0: torch.export.Dim.AUTO}
    program = torch.export.export(module, (x,), dynamic_shapes=(sizes,)).module()
    assert_close(program(x), module(x))
    larger = torch.cat((x, -x))
    if x.ndim == 4:
        larger = torch.cat((larger, larger, larger[..., :2]), 3)
    assert_close(program(larger), module(larger))


@every
def test_state_copies_and_pickles_give_the_same_module(case, name):
    module, x = case
    output = module(x)
    fresh = CATALOGUE[name][0]().double().eval()
    assert fresh.load_state_dict(module.state_dict()) == nn.modules.module._IncompatibleKeys([], [])
    assert torch.equal(fresh(x), output)
    assert torch.equal(copy.deepcopy(module)(x), output)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), output)


@every
@pytest.mark.usefixtures("unchecked")
def test_x_of_another_rank_is_refused(case):
    module, x = case
    for wrong in (x[0], x[None]):
        with pytest.raises(ValueError, match=r"x must have shape \(N, .*\), got \("):
            module(wrong)
