"""Self-attention: tokens that attend to tokens, and images as tokens."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import (
    EncoderBlock,
    MultiHeadSelfAttention,
    PatchEmbedding,
    scaled_dot_product_attention,
    sinusoidal_positions,
)

few = settings(deadline=None, max_examples=25, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
exact = {"rtol": 1e-10, "atol": 1e-10}


def mask_like(*shape, seed=0):
    """A random mask in which every query may attend to something."""
    mask = torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[..., 0] |= ~mask.any(-1)
    return mask


def test_attention_is_its_equation(noise):
    """Written out as a loop over queries and keys, with more keys than queries and values of another width."""
    q, k, v = noise(3, 4), noise(5, 4, seed=1), noise(5, 2, seed=2)
    output, weights = scaled_dot_product_attention(q, k, v)
    for i in range(3):
        scores = [math.exp(sum(q[i] * k[j]) / math.sqrt(4)) for j in range(5)]
        for j in range(5):
            assert weights[i, j].item() == pytest.approx(scores[j] / sum(scores), abs=1e-12)
        assert_close(output[i], sum(scores[j] / sum(scores) * v[j] for j in range(5)))


@pytest.mark.parametrize("mask", [None, (7, 5), (2, 1, 1, 5), (2, 3, 7, 5)], ids=str)
def test_attention_equals_torchs_with_its_gradients(noise, mask):
    ours = [noise(2, 3, size, 4, seed=seed).requires_grad_() for seed, size in enumerate((7, 5, 5))]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    mask = None if mask is None else mask_like(*mask)
    output, weights = scaled_dot_product_attention(*ours, mask)
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=mask)
    assert weights.shape == (2, 3, 7, 5)
    assert_close(output, expected, **exact)
    signal = noise(*output.shape, seed=9)
    output.backward(signal)
    expected.backward(signal)
    for mine, reference in zip(ours, theirs):
        assert_close(mine.grad, reference.grad, **exact)


def test_a_mask_says_who_may_be_attended_to(noise):
    """A forbidden key has weight exactly 0 and may change freely; the others still sum to 1."""
    q, k, v = noise(2, 4, 3), noise(2, 5, 3, seed=1), noise(2, 5, 3, seed=2)
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[:, 3] = False
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    assert (weights[..., 3] == 0).all()
    assert_close(weights.sum(-1), torch.ones(2, 4, dtype=torch.float64))
    k[:, 3], v[:, 3] = 1e3, -1e3
    assert_close(scaled_dot_product_attention(q, k, v, mask)[0], output)


def test_a_query_that_may_attend_to_nothing_gives_zero_and_clean_gradients(noise):
    """As in torch; the other queries are as they were."""
    q, k, v = (noise(3, 4, seed=seed).requires_grad_() for seed in range(3))
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    assert (output[1] == 0).all() and (weights[1] == 0).all()
    assert_close(output, F.scaled_dot_product_attention(q[None], k[None], v[None], mask)[0], **exact)
    output.sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in (q, k, v)) and (q.grad[1] == 0).all()


@few
@given(seed=seeds, scale=st.floats(0.1, 30))
def test_rows_sum_to_one_and_outputs_stay_among_the_values(noise, seed, scale):
    q, k, v = scale * noise(2, 4, 3, seed=seed), scale * noise(2, 5, 3, seed=seed + 1), noise(2, 5, 3, seed=seed + 2)
    output, weights = scaled_dot_product_attention(q, k, v)
    assert_close(weights.sum(-1), torch.ones(2, 4, dtype=torch.float64))
    low, high = v.amin(1, keepdim=True), v.amax(1, keepdim=True)
    assert ((low - 1e-12 <= output) & (output <= high + 1e-12)).all()


def test_attention_passes_gradcheck_with_a_mask(noise):
    q, k, v = (noise(2, 3, 4, seed=seed).requires_grad_() for seed in range(3))
    mask = mask_like(3, 3)
    assert torch.autograd.gradcheck(lambda *qkv: scaled_dot_product_attention(*qkv, mask), (q, k, v))


@pytest.mark.parametrize(
    ("shapes", "mask", "message"),
    [
        (((2, 3), (2, 4), (2, 3)), None, r"k must be as wide as q \(3\), got shape \(2, 4\)"),
        (((2, 3), (4, 3), (2, 3)), None, r"v must have one value for each of the 4 keys, got shape \(2, 3\)"),
        (((2, 3), (2, 3), (2, 3)), torch.zeros(2, 2), "mask must be boolean.*got torch.float32"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_attention_names_what_does_not_fit(shapes, mask, message):
    with pytest.raises(ValueError, match=message):
        scaled_dot_product_attention(*(torch.zeros(shape) for shape in shapes), mask)


def torch_twin(attention):
    """``nn.MultiheadAttention`` with the weights of ours."""
    twin = nn.MultiheadAttention(attention.qkv.in_features, attention.heads, batch_first=True, dtype=torch.float64)
    twin.in_proj_weight.data, twin.in_proj_bias.data = attention.qkv.weight.data, attention.qkv.bias.data
    twin.out_proj.load_state_dict(attention.projection.state_dict())
    return twin


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("dim", "heads"), [(12, 1), (12, 3), (8, 4)])
def test_multi_head_attention_equals_torchs_with_its_gradients(noise, randomised, dim, heads, masked):
    """Outputs, weights of every head, and the gradients of the input and of all weights."""
    attention = randomised(MultiHeadSelfAttention(dim, heads))
    twin = torch_twin(attention)
    ours, theirs = noise(2, 5, dim).requires_grad_(), noise(2, 5, dim).requires_grad_()
    mask = mask_like(5, 5) if masked else None
    output = attention(ours, mask)
    expected, weights = twin(
        theirs, theirs, theirs, attn_mask=None if mask is None else ~mask, average_attn_weights=False
    )
    assert weights.shape == (2, heads, 5, 5)
    assert_close(output, expected, **exact)
    assert_close(attention.weights(ours, mask), weights, **exact)
    signal = noise(*output.shape, seed=9)
    output.backward(signal)
    expected.backward(signal)
    assert_close(ours.grad, theirs.grad, **exact)
    assert_close(attention.qkv.weight.grad, twin.in_proj_weight.grad, **exact)
    assert_close(attention.qkv.bias.grad, twin.in_proj_bias.grad, **exact)
    assert_close(attention.projection.weight.grad, twin.out_proj.weight.grad, **exact)
    assert_close(attention.projection.bias.grad, twin.out_proj.bias.grad, **exact)


def test_a_mask_may_differ_between_images_and_heads(noise, randomised):
    attention, x = randomised(MultiHeadSelfAttention(12, 3)), noise(2, 5, 12)
    mask = mask_like(2, 3, 5, 5)
    expected, _ = torch_twin(attention)(x, x, x, attn_mask=~mask.flatten(0, 1))
    assert_close(attention(x, mask), expected, **exact)


def test_a_token_that_may_attend_to_nothing_takes_nothing(noise, randomised):
    """Its output is the projection's bias, its weights are 0, and gradients stay finite."""
    attention, x = randomised(MultiHeadSelfAttention(12, 3)), noise(2, 5, 12).requires_grad_()
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[1] = False
    output = attention(x, mask)
    assert_close(output[:, 1], attention.projection.bias.expand(2, 12))
    assert (attention.weights(x, mask)[:, :, 1] == 0).all()
    output.square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.usefixtures("unchecked")
def test_a_mask_of_numbers_is_refused(noise):
    """Torch would add it to the scores."""
    attention, x = MultiHeadSelfAttention(12, 3).double(), noise(2, 5, 12)
    for method in (attention, attention.weights):
        with pytest.raises(ValueError, match=r"mask must be boolean.*got torch\.float64"):
            method(x, torch.ones(5, 5, dtype=torch.float64))


def test_parameters_of_the_transformers_base_size(parameters):
    """1,048,576 in the four matrices, and biases as in ``nn.MultiheadAttention``."""
    assert parameters(MultiHeadSelfAttention(512)) == 1_050_624 == 1_048_576 + 4 * 512


def test_equal_tokens_come_out_as_their_value_projected(noise, randomised):
    """Whatever the weights, the average of equal values is the value: heads are laid back where they were."""
    attention, x = randomised(MultiHeadSelfAttention(12, 3)), noise(2, 1, 12).expand(2, 5, 12)
    assert_close(attention(x), attention.projection(attention.qkv(x)[..., 24:]))


@few
@given(seed=seeds)
def test_tokens_have_no_order(noise, randomised, seed):
    """Permuting the tokens permutes the output, of the attention and of the whole block."""
    x = noise(2, 6, 8, seed=seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    for module in (MultiHeadSelfAttention(8, 2), EncoderBlock(8, 2)):
        module = randomised(module, seed)
        assert_close(module(x[:, order]), module(x)[:, order])
        assert_close(module.weights(x[:, order]), module.weights(x)[:, :, order][..., order])


def test_patches_become_tokens_row_by_row(noise):
    """Token i W / patch + j is a linear map of patch (i, j); height and width differ."""
    x, embed = noise(2, 3, 8, 12), PatchEmbedding(3, 4, 5).double()
    tokens = embed(x)
    assert tokens.shape == (2, 6, 5)
    for i in range(2):
        for j in range(3):
            patch = x[:, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].flatten(1)
            expected = patch @ embed.projection.weight.flatten(1).T + embed.projection.bias
            assert_close(tokens[:, 3 * i + j], expected)


def test_one_bright_patch_lights_one_token(noise):
    embed = PatchEmbedding(1, 4, 5).double()
    x = torch.zeros(1, 1, 8, 12, dtype=torch.float64)
    x[0, 0, 4:8, 0:4] = noise(4, 4)
    changed = (embed(x) - embed(torch.zeros_like(x))).abs().sum(2)[0]
    assert changed.nonzero().flatten().tolist() == [3]


def test_patch_embedding_of_vit_base_has_the_published_size(parameters):
    assert parameters(PatchEmbedding(3, 16, 768)) == 3 * 16 * 16 * 768 + 768


def test_positions_are_the_papers_waves():
    """Exact values, sine and cosine interleaved, one frequency a pair."""
    table = sinusoidal_positions(50, 6)
    assert table.dtype == torch.get_default_dtype()
    for p in (0, 1, 7, 49):
        for i in range(3):
            angle = p / 10000 ** (2 * i / 6)
            assert table[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


@few
@given(length=st.integers(1, 40), half=st.integers(1, 20))
def test_each_pair_of_a_position_lies_on_the_circle_and_a_step_turns_it(length, half):
    """sin^2 + cos^2 = 1, and the likeness of two positions depends on their distance alone."""
    table = sinusoidal_positions(length, 2 * half)
    assert table.shape == (length, 2 * half)
    assert_close((table**2).view(length, half, 2).sum(2), torch.ones(length, half))
    likeness = table @ table.T
    for distance in range(length):
        assert_close(likeness.diagonal(distance), likeness[0, distance].expand(length - distance), rtol=1e-4, atol=1e-4)


def test_positions_far_out_are_as_exact_as_near_ones():
    """The angles are computed in double precision."""
    assert sinusoidal_positions(100_001, 2)[-1, 0].item() == pytest.approx(math.sin(100_000), abs=1e-6)


def test_the_block_equals_torchs_pre_norm_encoder_layer(noise, randomised):
    block, x = randomised(EncoderBlock(12, 3)), noise(2, 5, 12)
    twin = nn.TransformerEncoderLayer(
        12, 3, dim_feedforward=48, dropout=0, activation="gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    twin.self_attn = torch_twin(block.attention)
    for theirs, ours in (
        (twin.norm1, block.norm1),
        (twin.norm2, block.norm2),
        (twin.linear1, block.mlp[0]),
        (twin.linear2, block.mlp[2]),
    ):
        theirs.load_state_dict(ours.state_dict())
    assert_close(block(x), twin(x), **exact)


def test_the_block_shows_the_weights_its_attention_uses(noise, randomised):
    """On the normalised tokens, not on x."""
    block, x = randomised(EncoderBlock(12, 3)), noise(2, 5, 12)
    seen = []
    block.attention.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    block(x)
    assert_close(block.weights(x), block.attention.weights(seen[0]))


def test_a_block_whose_halves_say_nothing_is_the_identity(noise):
    """The skip connections carry x itself, not its normalisation."""
    block, x = EncoderBlock(8, 2).double(), noise(2, 5, 8)
    with torch.no_grad():
        for last in (block.attention.projection, block.mlp[2]):
            last.weight.zero_()
            last.bias.zero_()
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("mlp_ratio", [2, 4])
def test_parameters_of_the_block(parameters, mlp_ratio):
    """ViT-B's twelve blocks have 7,087,872 parameters each."""
    dim = 768
    expected = (4 + 2 * mlp_ratio) * dim**2 + (9 + mlp_ratio) * dim
    assert parameters(EncoderBlock(dim, 12, mlp_ratio)) == expected
    assert mlp_ratio != 4 or expected == 7_087_872


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MultiHeadSelfAttention(0), "dim must be an integer of at least 1, got 0"),
        (lambda: MultiHeadSelfAttention(8, 0), "heads must be an integer of at least 1, got 0"),
        (lambda: MultiHeadSelfAttention(12), r"dim must be a multiple of heads \(8\), got 12"),
        (lambda: EncoderBlock(12), r"dim must be a multiple of heads \(8\), got 12"),
        (lambda: EncoderBlock(16, 8, 0), "mlp_ratio must be an integer of at least 1, got 0"),
        (lambda: PatchEmbedding(3, 0, 8), "patch must be an integer of at least 1, got 0"),
        (lambda: PatchEmbedding(3, 4, 8)(torch.zeros(1, 3, 8, 9)), r"width must be a multiple of patch \(4\), got 9"),
        (lambda: PatchEmbedding(3, 4, 8)(torch.zeros(1, 3, 9, 8)), r"height must be a multiple of patch \(4\), got 9"),
        (lambda: sinusoidal_positions(0, 8), "length must be an integer of at least 1, got 0"),
        (lambda: sinusoidal_positions(4, 7), "dim must be even.*got 7"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("wrong", ["in_channels", "patch", "dim"])
def test_patches_of_no_size_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=wrong):
        PatchEmbedding(**{"in_channels": 3, "patch": 4, "dim": 8} | {wrong: 0})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("length", "dim", "named"), [(0, 8, "length"), (8, 0, "dim")])
def test_positions_of_no_size_are_refused_by_name(length, dim, named):
    with pytest.raises(ValueError, match=named):
        sinusoidal_positions(length, dim)


def test_positions_far_away_are_exact():
    """In float32 all the way, the sine of 50,000 would be wrong in the third decimal."""
    far = sinusoidal_positions(50_001, 6)[-1]
    angles = [50_000 / 10_000 ** (2 * i / 6) for i in range(3)]
    assert_close(
        far.double(), torch.tensor([f(a) for a in angles for f in (math.sin, math.cos)]).double(), rtol=0, atol=1e-6
    )


@pytest.mark.usefixtures("unchecked")
def test_what_is_told_of_wrong_shapes_are_the_widths_and_the_names_of_the_axes(noise):
    with pytest.raises(ValueError, match=r"as wide as q \(4\), got shape \(2, 5, 3\)"):
        scaled_dot_product_attention(noise(2, 7, 4), noise(2, 5, 3), noise(2, 5, 2))
    with pytest.raises(ValueError, match=r"\(N, L, dim\)"):
        MultiHeadSelfAttention(8, 2)(noise(5, 8))
