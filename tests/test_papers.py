"""The papers' tables: every network has the size that its paper's table needs, to the digit."""

from functools import partial

import pytest

from attention_lab import papers
from attention_lab.networks import create

CBAM, SE_152, SE, SE_WITH_STATISTICS, BAM, CIFAR, SK, VIT, ECA, SWIN, MECHANISMS = papers.TABLES

EXPECTED = {
    (CBAM, "resnet18"): (11_689_512, 1_814_073_344),
    (CBAM, "se_resnet18"): (11_778_592, 1_814_160_384),
    (CBAM, "cbam_resnet18"): (11_779_392, 1_815_063_764),
    (CBAM, "resnet34"): (21_797_672, 3_663_761_408),
    (CBAM, "se_resnet34"): (21_958_868, 3_663_918_592),
    (CBAM, "cbam_resnet34"): (21_960_468, 3_665_434_742),
    (CBAM, "resnet50"): (25_557_032, 3_857_973_248),
    (CBAM, "se_resnet50"): (28_088_024, 3_860_488_192),
    (CBAM, "cbam_resnet50"): (28_089_624, 3_864_362_102),
    (CBAM, "cbam_resnet50, stride in the 3x3"): (28_089_624, 4_095_573_110),
    (CBAM, "resnet101"): (44_549_160, 7_570_194_432),
    (CBAM, "se_resnet101"): (49_326_872, 7_574_937_600),
    (CBAM, "cbam_resnet101"): (49_330_172, 7_581_366_270),
    (CBAM, "resnext50_32x4d"): (25_028_904, 3_768_057_856),
    (CBAM, "se_resnext50_32x4d"): (27_559_896, 3_770_572_800),
    (CBAM, "cbam_resnext50_32x4d"): (27_561_496, 3_774_446_710),
    (CBAM, "resnext101_32x4d"): (44_177_704, 7_507_574_784),
    (CBAM, "se_resnext101_32x4d"): (48_955_416, 7_512_317_952),
    (CBAM, "cbam_resnext101_32x4d"): (48_958_716, 7_518_746_622),
    (SE_152, "se_resnet152"): (66_821_848, 11_288_993_792),
    (SE, "resnet50"): (25_557_032, None),
    (SE, "SE, r = 2"): (45_676_584, None),
    (SE, "SE, r = 4"): (35_616_808, None),
    (SE, "SE, r = 8"): (30_586_920, None),
    (SE, "SE, r = 16"): (28_071_976, None),
    (SE, "SE, r = 32"): (26_814_504, None),
    (SE, "SE in stage 2 alone"): (25_581_608, None),
    (SE, "SE in stage 3 alone"): (25_688_104, None),
    (SE, "SE in stage 4 alone"): (26_343_464, None),
    (BAM, "bam_resnet18"): (11_712_503, 1_819_224_000),
    (BAM, "bam_resnet34"): (21_820_663, 3_668_912_064),
    (BAM, "bam_resnet50"): (25_915_099, 3_940_120_320),
    (BAM, "bam_resnet101"): (44_907_227, 7_652_341_504),
    (CIFAR, "cifar_resnet50"): (23_705_252, 1_222_516_736),
    (CIFAR, "bam_cifar_resnet50"): (24_063_319, 1_249_456_128),
    (CIFAR, "cifar_resnet101"): (42_697_380, 2_434_670_592),
    (CIFAR, "bam_cifar_resnet101"): (43_055_447, 2_461_609_984),
    (SK, "sknet26"): (16_746_408, 2_586_877_952),
    (SK, "sknet50"): (27_479_784, 4_462_710_784),
    (SK, "sknet101"): (48_736_040, 8_448_724_992),
    (VIT, "vit_s_16"): (22_050_664, 4_241_218_560),
    (VIT, "vit_b_16"): (86_567_656, 16_848_500_736),
    (VIT, "vit_l_16"): (304_326_632, 59_647_172_608),
    (ECA, "eca_resnet50"): (25_557_118, 3_858_061_056),
    (ECA, "eca_resnet101"): (44_549_331, 7_570_369_280),
    (SWIN, "swin_t"): (28_288_354, 4_350_425_088),
    (MECHANISMS, "SE, C = 256"): (8_464, None),
    (MECHANISMS, "SE, C = 512"): (33_312, None),
    (MECHANISMS, "SE, C = 1024"): (132_160, None),
    (MECHANISMS, "SE without biases, C = 256"): (8_192, None),
    (MECHANISMS, "SE without biases, C = 512"): (32_768, None),
    (MECHANISMS, "SE without biases, C = 1024"): (131_072, None),
    (MECHANISMS, "CBAM, C = 256"): (8_564, None),
    (MECHANISMS, "CBAM, C = 512"): (33_412, None),
    (MECHANISMS, "CBAM, C = 1024"): (132_260, None),
    (MECHANISMS, "BAM, C = 256"): (17_361, None),
    (MECHANISMS, "BAM, C = 512"): (68_513, None),
    (MECHANISMS, "BAM, C = 1024"): (272_193, None),
    (MECHANISMS, "self-attention, 8 heads, C = 512"): (1_050_624, None),
    # batch normalisation's running statistics of ResNet-50 are 53,120 numbers, whatever SE adds
    **{
        (SE_WITH_STATISTICS, name): (parameters + 53_120, None)
        for name, parameters in {
            "resnet50": 25_557_032,
            "SE, r = 2": 45_676_584,
            "SE, r = 4": 35_616_808,
            "SE, r = 8": 30_586_920,
            "SE, r = 16": 28_071_976,
            "SE, r = 32": 26_814_504,
            "SE in stage 2 alone": 25_581_608,
            "SE in stage 3 alone": 25_688_104,
            "SE in stage 4 alone": 26_343_464,
        }.items()
    },
}

DIFFER_FROM_PRINT = {
    (CBAM, "cbam_resnet50, stride in the 3x3"),
    (SE, "SE, r = 4"),
    (SE, "SE, r = 8"),
    (SE, "SE, r = 32"),
    (SE, "SE in stage 4 alone"),
    (SE_WITH_STATISTICS, "SE, r = 8"),
    (CIFAR, "bam_cifar_resnet50"),
    (CIFAR, "cifar_resnet101"),
    (SK, "sknet26"),
    (SK, "sknet50"),
    (SK, "sknet101"),
    (VIT, "vit_b_16"),
    (VIT, "vit_l_16"),
    (ECA, "eca_resnet50"),
    (ECA, "eca_resnet101"),
    (SWIN, "swin_t"),
}


@pytest.fixture(scope="module")
def counts():
    return {(table, row.name): table.counts(row) for table in papers.TABLES for row in table.rows}


def test_every_row_has_the_expected_parameters_and_multiply_adds(counts):
    assert counts == EXPECTED


def test_counts_round_to_what_the_papers_print_but_for_the_known_exceptions(counts):
    differ = {
        (table, row.name)
        for table in papers.TABLES
        for row in table.rows
        if not all(map(papers.agrees, counts[table, row.name], (row.parameters, row.macs)))
    }
    assert differ == DIFFER_FROM_PRINT


def test_what_the_design_takes_from_the_papers_is_printed_beside_the_counts():
    """Where a value was not checked against the paper, its star says so."""
    printed = {(table, row.name): (row.parameters, row.macs) for table in papers.TABLES for row in table.rows}
    for cell, values in {
        (CBAM, "resnet50"): ("25.56M", "3.858G"),
        (CBAM, "se_resnet50"): ("28.09M", "3.860G"),
        (CBAM, "cbam_resnet50"): ("28.09M", "3.864G"),
        (BAM, "bam_resnet50"): ("25.92M", "3.94G*"),
        (BAM, "bam_resnet101"): ("44.91M", "7.65G*"),
        (SK, "sknet26"): ("16.8M*", ""),
        (SK, "sknet50"): ("27.5M", "4.47G"),
        (ECA, "eca_resnet50"): ("24.37M", "3.86G"),
        (SWIN, "swin_t"): ("29M*", "4.5G*"),
    }.items():
        assert printed[cell] == values
    for table in (SE, SE_WITH_STATISTICS):
        values = [row.parameters for row in table.rows]
        assert values == ["25.6M", "45.7M", "35.7M", "30.7M", "28.1M", "26.9M", "25.6M", "25.7M", "26.4M"]


@pytest.mark.parametrize(
    ("count", "printed", "expected"),
    [
        (28_089_624, "28.09M", True),
        (28_080_000, "28.09M", False),
        (3_864_362_102, "3.864G*", True),
        (4_095_573_110, "3.864G", False),
        (86_567_656, "87M", True),
        (1, "", True),
        (None, "", True),
    ],
)
def test_a_count_agrees_with_what_it_rounds_to(count, printed, expected):
    assert papers.agrees(count, printed) is expected


def test_the_overhead_of_se_is_far_below_the_printed_one(counts):
    plain, se = counts[CBAM, "resnet50"][1], counts[CBAM, "se_resnet50"][1]
    assert f"{se / plain - 1:.4%}" == "0.0652%"
    assert f"{(3.87 - 3.86) / 3.86:.2%}" == "0.26%"
    assert "0.26%" in CBAM.notes[1] and "0.0652%" in CBAM.notes[1]


def test_the_millions_of_eca_are_powers_of_two_and_swin_counts_its_products():
    """Each as its note says; by these the printed numbers are met."""
    parameters = [papers.PaperTable.counts(ECA, row)[0] for row in ECA.rows]
    assert [f"{count / 2**20:.2f}M" for count in parameters] == [row.parameters for row in ECA.rows]
    products = sum(2 * 49 * (56 // 2**i) ** 2 * 96 * 2**i * depth for i, depth in enumerate((2, 2, 6, 2)))
    assert f"{products:,}" in SWIN.notes[0]
    assert f"{(4_350_425_088 + products) / 1e9:.1f}G*" == SWIN.rows[0].macs


def test_self_attention_without_biases_has_the_parameters_of_the_paper():
    (row,) = (row for row in MECHANISMS.rows if row.name.startswith("self-attention"))
    assert sum(p.numel() for name, p in row.build().named_parameters() if not name.endswith("bias")) == 1_048_576


def test_people_read_counts_beside_printed_values_with_a_mark_where_they_differ(monkeypatch):
    rows = (
        papers.PaperRow("resnet18", partial(create, "resnet18"), "11.7M", "0.3G*"),
        papers.PaperRow("resnet18 again", partial(create, "resnet18")),
    )
    monkeypatch.setattr(papers, "TABLES", (papers.PaperTable("Small images", rows, 32, notes=("A note.",)),))
    title, header, _, first, second, note, blank, *legend = papers.lines()
    assert (title, note, blank) == ("Small images", "A note.", "")
    assert header.split() == ["network", "parameters", "printed", "multiply-adds", "printed"]
    assert first.split() == ["resnet18", "11,689,512", "11.7M", "37,523,456", "0.3G*!"]
    assert second.split() == ["resnet18", "again", "11,689,512", "37,523,456"]
    assert header.index("  printed") == first.index("  11.7M")
    assert header.rindex("  printed") == first.index("  0.3G*")
    assert [line[0] for line in legend] == ["!", "*"]


def test_counting_takes_no_memory_for_weights():
    (row,) = (row for row in VIT.rows if row.name == "vit_l_16")

    def without_memory(model):
        return all(parameter.is_meta for parameter in model.parameters())

    assert papers.PaperTable("", (row,), None, count=without_memory).counts(row) == (True, None)


def test_a_network_is_found_by_the_name_of_its_row_and_built_without_numbers():
    network = papers.build("cbam_resnet50, stride in the 3x3")
    assert not network.training and all(p.device.type == "meta" for p in network.parameters())
    assert papers.row("bam_resnet50")[1].startswith("BAM, ImageNet")
    with pytest.raises(ValueError, match="no paper's table has a row 'resnet51'"):
        papers.build("resnet51")


def test_counts_stand_beside_what_is_printed_and_are_compared_with_the_first():
    table = papers.beside({"resnet50": (100, 1000), "sknet50": (125, 1500)})
    assert table.rows[0] == ["resnet50", "100", "25.56M", "1,000", "3.858G", "CBAM", "+0.00%", "+0.00%"]
    assert table.rows[1] == ["sknet50", "125", "27.5M", "1,500", "4.47G", "SK", "+25.00%", "+50.00%"]
