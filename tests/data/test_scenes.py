"""The composed pictures: what is said about a scene is what the scene shows."""

import shutil

import pytest
import torch
import torch.nn.functional as F

from attention_lab import data
from attention_lab.data import images
from attention_lab.data.scenes import _photo_column

N = 300


@pytest.fixture(scope="module")
def scenes():
    return data.scenes(N, "test")


@pytest.fixture(scope="module")
def cue_scenes():
    return data.cue_scenes(2000, "test")


def pixel_centres(size):
    return (2 * torch.arange(size) + 1) / size - 1


def centre_of(pose):
    """Where the garment's origin lies in the scene, in coordinates from -1 to 1."""
    return -torch.linalg.solve(pose[:, :, :2], pose[:, :, 2])


def nearest_garment(looked_at, split):
    """For each picture the index of the garment it correlates with most, and that correlation."""
    garments = data.fashion(split)[0]

    def standardised(images):
        return F.normalize(images.flatten(1) - images.flatten(1).mean(1, keepdim=True), dim=1)

    correlation, index = (standardised(looked_at) @ standardised(garments).T).max(1)
    return index, correlation


def test_scenes_have_the_documented_shapes_and_ranges(scenes):
    assert scenes.image.shape == scenes.mask.shape == (N, 1, 64, 64)
    assert scenes.pose.shape == (N, 2, 3) and scenes.size.shape == (N,)
    assert scenes.image.dtype == scenes.mask.dtype == scenes.pose.dtype == scenes.size.dtype == torch.float32
    assert scenes.label.shape == (N,) and scenes.label.dtype == torch.int64
    assert scenes.label.unique().tolist() == list(range(10))
    for picture in (scenes.image, scenes.mask):
        assert picture.min() >= 0 and 0.99 < picture.max() <= 1


@pytest.mark.parametrize("make", [data.scenes, data.cue_scenes])
def test_a_seed_gives_the_same_pictures_and_another_seed_gives_others(make):
    first, again, other = make(20, seed=3), make(20, seed=3), make(20, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not any(torch.equal(a, b) for a, b in zip(first, other))


def test_another_photograph_in_the_package_changes_no_scene(tmp_path, monkeypatch):
    before = data.scenes(20, seed=3).image
    monkeypatch.setattr(images, "FILES", shutil.copytree(images.FILES, tmp_path / "files"))
    for name in ("aurora", "zebra"):
        shutil.copy(tmp_path / "files" / "photos" / "coffee.jpg", tmp_path / "files" / "photos" / f"{name}.jpg")
    assert {"aurora", "zebra"} < set(data.photo_names())
    _photo_column.cache_clear()
    assert torch.equal(data.scenes(20, seed=3).image, before)


@pytest.mark.parametrize("make", [data.scenes, data.cue_scenes])
def test_global_randomness_is_neither_used_nor_moved(make):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = make(20)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(make(20).image, first.image)


def test_another_size_angle_or_ground_shows_the_same_garments():
    labels = data.scenes(50).label
    for change in ({"scale": (0.3, 0.3)}, {"rotation": 0.0}, {"photos": False}, {"fragments": 0}):
        assert torch.equal(data.scenes(50, **change).label, labels)


def test_looking_through_the_pose_shows_the_garment_upright():
    scenes = data.scenes(N, "test", scale=(0.5, 0.7), photos=False, fragments=0)
    garment_to_scene = torch.cat([torch.linalg.inv(scenes.pose[:, :, :2]), centre_of(scenes.pose)[:, :, None]], 2)
    grid = F.affine_grid(garment_to_scene, (N, 1, 28, 28), align_corners=False)
    index, correlation = nearest_garment(F.grid_sample(scenes.image, grid, align_corners=False), "test")
    assert torch.equal(data.fashion("test")[1][index], scenes.label)
    assert correlation.min() > 0.9


def test_each_garment_appears_once_before_any_appears_again():
    labels = data.scenes(1500, "test", size=16, photos=False, fragments=0).label
    assert labels.bincount().tolist() == [150] * 10
    assert not torch.equal(labels, data.fashion("test")[1])


def test_test_scenes_are_made_of_test_garments():
    upright = {"size": 32, "scale": (0.875, 0.875), "rotation": 0.0, "photos": False, "fragments": 0}
    for split, other in (("train", "test"), ("test", "train")):
        scenes = data.scenes(50, split, **upright)
        grid = F.affine_grid(
            torch.cat([0.875 * torch.eye(2).expand(50, 2, 2), centre_of(scenes.pose)[:, :, None]], 2),
            (50, 1, 28, 28),
            align_corners=False,
        )
        looked_at = F.grid_sample(scenes.image, grid, align_corners=False)
        own, foreign = (nearest_garment(looked_at, name)[1] for name in (split, other))
        assert (own > foreign).float().mean() > 0.9


def test_the_mask_covers_what_the_garment_changed_and_nothing_else():
    """On black without distractors, every bright pixel is under the mask and the mask holds no empty region."""
    scenes = data.scenes(N, "test", photos=False, fragments=0)
    assert (scenes.image[scenes.mask == 0] == 0).all()
    assert (scenes.image <= scenes.mask + 1e-6).all()
    inside = scenes.mask > 0.99
    assert (scenes.image[inside] > 0.02).float().mean() > 0.97


def test_the_garment_hides_the_ground_and_the_distractors():
    on_photo = data.scenes(N, "test")
    on_black = data.scenes(N, "test", photos=False, fragments=0)
    same = torch.isclose(on_photo.image, on_black.image, atol=1e-5)
    inside = on_photo.mask == 1
    assert torch.equal(on_photo.mask, on_black.mask)
    assert same[inside].all() and inside.any((1, 2, 3)).all()
    assert same[on_photo.mask == 0].float().mean() < 0.1


def test_the_mask_lies_where_the_pose_and_the_size_say(scenes):
    """Its box is no larger than the turned frame, and its centre of mass is near the frame's centre."""
    centre, size = centre_of(scenes.pose), scenes.size
    angle = torch.atan2(scenes.pose[:, 0, 1], scenes.pose[:, 0, 0])
    turned = size * (angle.cos().abs() + angle.sin().abs()) * 29 / 28
    covered = scenes.mask[:, 0] > 0
    for axis, dim in ((0, 1), (1, 2)):
        line = covered.any(dim)
        assert (line.sum(1) <= turned + 1).all()
        assert (line.sum(1) >= 0.2 * size).all()
        mass = scenes.mask[:, 0].sum(dim)
        middle = (mass * pixel_centres(64)).sum(1) / mass.sum(1)
        assert ((middle - centre[:, axis]).abs() * 32 < 0.25 * size).all()
    tightest = covered.any(1).sum(1).maximum(covered.any(2).sum(1))
    assert (tightest > 0.7 * size).all()


def test_pose_size_and_angle_agree(scenes):
    assert torch.allclose(torch.linalg.det(scenes.pose[:, :, :2]), (64 / scenes.size) ** 2, rtol=1e-4)
    angle = torch.rad2deg(torch.atan2(scenes.pose[:, 0, 1], scenes.pose[:, 0, 0]))
    assert angle.abs().max() <= 30 and angle.min() < -25 and angle.max() > 25
    assert scenes.size.min() >= 0.28 * 64 and scenes.size.max() <= 0.7 * 64
    assert scenes.size.min() < 19 and scenes.size.max() > 43


@pytest.mark.parametrize(("scale", "rotation"), [((0.28, 0.7), 30.0), ((0.25, 0.96), 0.0), ((0.68, 0.68), 90.0)])
def test_no_garment_is_cut_off_at_the_edge(scale, rotation):
    """A picture twice as wide around the same scene shows no more of the garment's frame."""
    scenes = data.scenes(N, "test", scale=scale, rotation=rotation, photos=False, fragments=0)
    wider = scenes.pose @ torch.diag(torch.tensor([2.0, 2.0, 1.0]))
    frame = F.grid_sample(
        torch.ones(N, 1, 28, 28),
        F.affine_grid(wider, (N, 1, 128, 128), align_corners=False),
        align_corners=False,
    )
    assert frame[:, :, 32:96, 32:96].amax((1, 2, 3)).min() > 0.99
    frame[:, :, 32:96, 32:96] = 0
    assert frame.max() == 0


def test_garments_appear_all_over_the_scene(scenes):
    assert (scenes.mask > 0).any(0).float().mean() > 0.7


def test_distractors_lie_outside_the_mask():
    without, with_ = (data.scenes(N, "test", photos=False, fragments=count) for count in (0, 4))
    changed = with_.image != without.image
    assert changed.any((1, 2, 3)).float().mean() > 0.95
    assert not (changed & (with_.mask == 1)).any()
    assert changed.sum((1, 2, 3)).max() <= 4 * 6 * 6


def test_the_grounds_are_taken_from_all_over_the_photographs():
    """Pieces of one photograph cut at one place would look alike; next to none do."""
    ground = data.scenes(N, "test", size=16, scale=(0.07, 0.07), fragments=0).image.flatten(1)
    assert 0.2 < ground.mean() < 0.4
    ground = F.normalize(ground - ground.mean(1, keepdim=True), dim=1)
    alike = (ground @ ground.T).fill_diagonal_(0) > 0.8
    assert alike.float().mean() < 0.01


def test_size_is_the_side_of_a_scene():
    for size in (6, 32, 256):
        scenes = data.scenes(3, size=size)
        assert scenes.image.shape == (3, 1, size, size)
        assert (scenes.size <= 0.7 * size).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be"),
        ({"n": 1, "split": "val"}, "'train' or 'test'"),
        ({"n": 1, "size": 5}, "size must be from 6 to 256, got 5"),
        ({"n": 1, "size": 257}, "size must be from 6 to 256, got 257"),
        ({"n": 1, "fragments": -1}, "fragments"),
        ({"n": 1, "scale": (0.0, 0.5)}, "scale"),
        ({"n": 1, "scale": (0.6, 0.5)}, "scale"),
        ({"n": 1, "scale": (0.3, 0.8)}, "rotated by up to 30.0 degrees leave the scene"),
        ({"n": 1, "scale": (0.3, 0.7), "rotation": 180.0}, "0.683"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.scenes(**arguments)


def test_cue_scenes_have_the_documented_shapes_and_ranges(cue_scenes):
    image, label, cue = cue_scenes
    assert image.shape == (2000, 1, 32, 32) and image.dtype == torch.float32
    assert image.min() == 0 and image.max() == 1
    assert cue.shape == label.shape == (2000,) and cue.dtype == torch.bool and label.dtype == torch.int64
    assert {data.FASHION_CLASSES[index] for index in label.unique()} == set(data.CUE_CLASSES)
    assert 0.45 < cue.float().mean() < 0.55
    assert (label.bincount(minlength=10)[label.unique()] > 400).all()


def test_the_cue_is_the_white_top_edge(cue_scenes):
    top = cue_scenes.image[:, 0, :3].mean((1, 2))
    assert (top[cue_scenes.cue] > 0.95).all()
    assert (top[~cue_scenes.cue] - 0.5).abs().max() < 0.05


def test_the_cue_decides_between_the_bright_and_the_dark_garment(cue_scenes):
    """The garment of the polarity the cue asks for looks like the class to name; the other one is like any class."""
    image, label, cue = cue_scenes
    bright, dark = ((sign * (image - 0.5)).clamp(min=0) for sign in (1, -1))
    wanted = torch.where(cue[:, None, None, None], bright, dark)[:, :, 4:]
    other = torch.where(cue[:, None, None, None], dark, bright)[:, :, 4:]

    def agreement(pictures):
        profile = torch.cat([pictures.sum(2).sort(-1).values, pictures.sum(3).sort(-1).values], 2)[:, 0]
        profile = F.normalize(profile, dim=1)
        half = len(profile) // 2
        nearest = (profile[half:] @ profile[:half].T).argmax(1)
        return (label[:half][nearest] == label[half:]).float().mean()

    assert agreement(wanted) > 0.7
    assert agreement(other) < 0.45


def test_each_cue_scene_holds_a_bright_and_a_dark_garment_in_its_two_halves(cue_scenes):
    contrast = cue_scenes.image[:, 0, 4:] - 0.5
    left, right = (half.sum((1, 2)) for half in contrast.split(16, dim=2))
    strong = (left.abs() > 3) & (right.abs() > 3)
    assert strong.float().mean() > 0.9
    assert (left * right < 0)[strong].all()
    assert 0.4 < (left > 0).float().mean() < 0.6


def test_the_garments_of_a_cue_scene_keep_their_distance_from_the_cue(cue_scenes):
    """Between the rows of the cue and the first row of a garment lie rows of nothing but noise."""
    assert (cue_scenes.image[:, 0, 3:12] - 0.5).abs().max() < 0.15
    assert (cue_scenes.image[:, 0, 12:] - 0.5).abs().amax((1, 2)).min() > 0.2


def test_cue_scenes_name_bad_arguments():
    with pytest.raises(ValueError, match="n must be"):
        data.cue_scenes(0)
    with pytest.raises(ValueError, match="size must be"):
        data.cue_scenes(1, size=0)
    with pytest.raises(ValueError, match="'train' or 'test'"):
        data.cue_scenes(1, "val")


def test_of_the_scenes_those_of_four_classes_are_kept_whole(scenes):
    kept = data.of_cue_classes(scenes)
    named = [data.FASHION_CLASSES[label] for label in scenes.label]
    places = [i for i, name in enumerate(named) if name in data.CUE_CLASSES]
    assert [data.CUE_CLASSES[label] for label in kept.label] == [named[i] for i in places]
    for entry, whole in zip(kept._replace(label=scenes.label[places]), scenes, strict=True):
        assert torch.equal(entry, whole[places])
