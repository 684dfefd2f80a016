"""The Vision Transformer, built from the course's patch embedding and encoder blocks."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import EncoderBlock, MultiHeadSelfAttention, PatchEmbedding
from attention_lab.networks import VisionTransformer
from attention_lab.networks.vit import TinyViT, attention_of, switched_off


@pytest.fixture
def vit():
    torch.manual_seed(0)
    return VisionTransformer(dim=24, depth=2, heads=3, num_classes=5, image_size=16, patch=4)


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_scores_have_a_row_for_each_image_and_every_parameter_learns(vit, images):
    nn.init.normal_(vit.classifier.weight)
    scores = vit.train()(images)
    assert scores.shape == (2, 5)
    nn.functional.cross_entropy(scores, torch.tensor([0, 3])).backward()
    assert all(parameter.grad.any() for parameter in vit.parameters())


def test_an_image_is_judged_by_itself_in_training_and_evaluation_alike(vit, images):
    nn.init.normal_(vit.classifier.weight)
    assert_close(vit.train()(images)[:1], vit.eval()(images[:1]))


def test_all_classes_are_equally_likely_before_training(vit, images):
    assert torch.equal(vit(images), torch.zeros(2, 5))


def test_tokens_are_the_class_token_then_the_patches_row_by_row(vit, images):
    with torch.no_grad():
        vit.class_token.fill_(7)
        vit.positions.zero_()
    tokens = vit.tokens(images)
    assert tokens.shape == (2, 17, 24)
    assert torch.equal(tokens[:, 0], torch.full((2, 24), 7.0))
    changed = images.clone()
    changed[:, :, 4:8, 8:12] += 1  # row 1, column 2 of four
    moved = (vit.tokens(changed) != tokens).any(2).any(0)
    assert moved.nonzero().tolist() == [[1 + 1 * 4 + 2]]


def test_every_token_knows_its_position(vit, images):
    before = vit.tokens(images)
    with torch.no_grad():
        vit.positions.add_(torch.arange(17.0)[:, None])
    assert_close(vit.tokens(images) - before, torch.arange(17.0)[:, None].expand(2, 17, 24))


def test_patches_may_be_shuffled_if_their_positions_are(vit, images):
    """Nothing but the positions says where a patch was."""
    nn.init.normal_(vit.classifier.weight)
    scores = vit(images)
    shuffled = images.roll(4, 3)  # every patch one column to the right
    assert not torch.allclose(vit(shuffled), scores, atol=1e-4)
    with torch.no_grad():
        grid = vit.positions[:, 1:].unflatten(1, (4, 4)).roll(1, 2).flatten(1, 2)
        vit.positions[:, 1:] = grid.clone()
    assert_close(vit(shuffled), scores, atol=1e-5, rtol=1e-4)


def test_the_class_token_alone_is_classified(vit, images):
    nn.init.normal_(vit.classifier.weight)
    last = vit.blocks(vit.tokens(images))
    assert_close(vit(images), vit.classifier(vit.norm(last[:, 0])))


def test_each_block_shows_what_its_tokens_attend_to(vit, images):
    tokens = vit.tokens(images)
    for block in vit.blocks:
        weights = block.weights(tokens)
        assert weights.shape == (2, 3, 17, 17)
        assert_close(weights.sum(-1), torch.ones(2, 3, 17))
        tokens = block(tokens)


def test_it_starts_as_the_authors_do():
    torch.manual_seed(0)
    vit = VisionTransformer(dim=96, depth=1, heads=3)
    linear = [layer for layer in vit.blocks.modules() if isinstance(layer, nn.Linear)]
    for layer in linear:
        bound = (6 / sum(layer.weight.shape)) ** 0.5
        assert bound * 0.98 < layer.weight.abs().max() <= bound
    assert len(linear) == 4
    assert vit.positions.std().item() == pytest.approx(0.02, rel=0.05)
    assert vit.embedding.projection.weight.std().item() == pytest.approx((3 * 16 * 16) ** -0.5, rel=0.05)
    zero = [vit.class_token, vit.embedding.projection.bias, vit.classifier.weight, vit.classifier.bias]
    assert not any(tensor.any() for tensor in zero + [layer.bias for layer in linear])


@pytest.mark.parametrize("size", [(3, 16, 20), (1, 16, 16), (3, 32, 32)])
@pytest.mark.usefixtures("unchecked")
def test_an_image_of_another_size_is_refused(vit, size):
    with pytest.raises(ValueError, match=r"x must have shape \(N, 3, 16, 16\), got \(2, "):
        vit(torch.zeros(2, *size))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth must be an integer of at least 1, got 0"),
        ({"num_classes": 0}, "num_classes must be an integer of at least 1, got 0"),
        ({"image_size": 30}, r"image_size must be a multiple of patch \(16\), got 30"),
        ({"heads": 5}, r"dim must be a multiple of heads \(5\), got 24"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(**{"dim": 24, "depth": 1, "heads": 3} | arguments)


def tiny(heads: int = 2) -> TinyViT:
    torch.manual_seed(0)
    return TinyViT(PatchEmbedding(1, 4, 8), torch.randn(6, 8), [EncoderBlock(8, heads) for _ in range(3)], 5).eval()


def test_a_tiny_transformer_is_its_parts_one_after_another():
    model, x = tiny(), torch.rand(2, 1, 8, 12)
    tokens = model.embedding((x - 0.5) / 0.25) + model.positions
    for block in model.blocks:
        tokens = block(tokens)
    assert_close(model(x), model.classify(tokens.mean(1)))
    assert model(x).shape == (2, 5)


def test_the_attention_of_every_block_is_found_where_it_is_used_and_nothing_is_left_behind():
    model, x = tiny(), torch.rand(2, 1, 8, 12)
    weights = attention_of(model, MultiHeadSelfAttention, x)
    assert weights.shape == (3, 2, 2, 6, 6)
    tokens = model.embedding((x - 0.5) / 0.25) + model.positions
    first = model.blocks[0]
    assert_close(
        weights[0],
        next(m for m in first.modules() if isinstance(m, MultiHeadSelfAttention)).weights(first.norm1(tokens)),
    )
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_without_attention_tokens_meet_in_the_final_average_only():
    model = switched_off(tiny(), MultiHeadSelfAttention)
    x = torch.rand(1, 1, 8, 12)
    other = x.clone()
    other[..., :4, :4] += 0.5  # another first patch
    tokens, others = (model.embedding((image - 0.5) / 0.25) + model.positions for image in (x, other))
    for block in model.blocks:
        tokens, others = block(tokens), block(others)
    assert not torch.allclose(tokens[:, 0], others[:, 0])
    assert_close(tokens[:, 1:], others[:, 1:])
