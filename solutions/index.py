# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Attention in computer vision, by building it
#
# **Attention = a distribution of weights, computed from the features, then combined with the features.**
#
# One idea, lesson by lesson. In each you see a mechanism at work, write it yourself, check it, repair a broken one, and test
# in an experiment what it is good for. Take them in order: what passed
# all its checks is kept in the folder `mine`, and later lessons use it in place of ours.
#
# | lesson | what is weighted | minutes | builds on | points |
# | --- | --- | --- | --- | --- |
# | [01 Attention as weighting](01-attention-as-weighting/attention-as-weighting.ipynb) | anything: the frame of the course | 75 | PyTorch's basics | <!-- points: 01-attention-as-weighting --> |
# | [02 Squeeze-and-excitation](02-squeeze-excitation/squeeze-excitation.ipynb) | channels | 85 | 01 | <!-- points: 02-squeeze-excitation --> |
# | [03 CBAM](03-cbam/cbam.ipynb) | channels, then positions | 140 | 02 | <!-- points: 03-cbam --> |
# | [04 BAM](04-bam/bam.ipynb) | channels and positions at once | 130 | 03 | <!-- points: 04-bam --> |
# | [05 Selective kernels](05-selective-kernel/selective-kernel.ipynb) | branches of different size | 85 | 01, 02 | <!-- points: 05-selective-kernel --> |
# | [06 Self-attention](06-self-attention/self-attention.ipynb) | every patch, for every patch | 155 | 01 | <!-- points: 06-self-attention --> |
# | [07 Spatial transformers](07-spatial-transformer/spatial-transformer.ipynb) | where to look | 115 | 01 | <!-- points: 07-spatial-transformer --> |
# | [08 Attention in networks](08-attention-in-networks/attention-in-networks.ipynb) | all of them, compared | 130 | 02 to 07 | <!-- points: 08-attention-in-networks --> |
# | [09 Is it true?](09-is-it-true/is-it-true.ipynb) | heat maps, put to the test | 160 | 02, 03, 06, 08 | <!-- points: 09-is-it-true --> |
# | [10 The family since](10-the-family-since/the-family-since.ipynb) | windows, blocks, points; a door | 220 | 02, 06, 07, 08 | <!-- points: 10-the-family-since --> |
#
# ```mermaid
# flowchart LR
#     a["01 weighting"] --> b["02 SE"] --> c["03 CBAM"] --> d["04 BAM"]
#     b --> e["05 SK"]
#     a --> f["06 self-attention"]
#     a --> g["07 spatial transformer"]
#     d --> h["08 networks"]
#     e --> h
#     f --> h
#     g --> h
#     h --> i["09 is it true?"]
#     h --> j["10 the family since"]
# ```
#
# **How to work.** Open a lesson with a click. Run cells with Shift+Enter. Write your code where you read
# `YOUR CODE HERE`. The cells below each exercise check it, as often as you like, and say what went wrong. **Validate** in
# the toolbar runs the whole lesson in a fresh kernel, as your instructor will.
#
# **Your progress.** Run this cell whenever you want to see it.

# %%
from pathlib import Path

from attention_lab.course.progress import progress

progress(Path.cwd())
