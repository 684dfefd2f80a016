"""Spatial transformer: attend to a part of the image by resampling it.

M. Jaderberg, K. Simonyan, A. Zisserman and K. Kavukcuoglu, "Spatial Transformer Networks", NIPS 2015, section 3.

Coordinates run from -1 to 1 across the image, edge to edge, as with ``align_corners=False`` in PyTorch: of W columns,
column j has its centre at x = (2 j + 1) / W - 1.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import require_positive, require_shape


def affine_grid(theta: Float[Tensor, "N 2 3"], height: int, width: int) -> Float[Tensor, "N H W 2"]:
    """Where in the input each pixel of the output looks (section 3.2, equation 1).

        (x_in, y_in) = theta (x_out, y_out, 1)

    ``theta`` maps the output to the input: a zoom of 0.5 shows the middle of the image twice as large.

    Args:
        theta: one affine map for each image.
        height, width: size of the output in pixels.

    Returns: (x, y) in the input for each pixel of the output; x runs along the width.
    Raises: ValueError if ``theta`` is not (N, 2, 3) or a size is below 1.
    """
    require_shape(theta, "N 2 3", "theta")
    require_positive(height=height, width=width)
    x = _centres(width, theta)
    y = _centres(height, theta)[:, None]
    along_x, along_y, shift = theta[..., None, None].unbind(2)  # each (N, 2, 1, 1)
    return (along_x * x + (along_y * y + shift)).movedim(1, -1)


def _centres(size: int, like: Tensor) -> Float[Tensor, " size"]:
    return (2 * torch.arange(size, dtype=like.dtype, device=like.device) + 1) / size - 1


def bilinear_sample(image: Float[Tensor, "N C H W"], grid: Float[Tensor, "N h w 2"]) -> Float[Tensor, "N C h w"]:
    """Read the image at points between its pixels (section 3.3, equation 5); outside it is black (zero).

        output = sum_pixels max(0, 1 - |x - column|) max(0, 1 - |y - row|) image[row, column]

    Only the four pixels around a point have weight. Both the image and the grid receive gradients.

    Args:
        image: the features to read.
        grid: (x, y) of each point, as ``affine_grid`` returns them.

    Raises: ValueError if ``image`` or ``grid`` has another shape, or they differ in N.

    How others differ: ``torch.nn.functional.grid_sample`` gives the same in one pass; this one is written to be read.
    """
    require_shape(image, "N C H W", "image")
    require_shape(grid, "N h w 2", "grid")
    if image.shape[0] != grid.shape[0]:
        raise ValueError(f"grid must have one entry for each of the {image.shape[0]} images, got {tuple(grid.shape)}")
    channels, height, width = image.shape[1:]
    framed = F.pad(image, (2, 2, 2, 2))  # so that points outside read black, and where they are clamped all is flat
    x, y = grid[:, None].unbind(-1)  # each (N, 1, h, w)
    x = (((x + 1) * width - 1) / 2).clamp(-2, width) + 2  # in pixels of the framed image
    y = (((y + 1) * height - 1) / 2).clamp(-2, height) + 2
    left, top = x.floor(), y.floor()
    corner = top.long() * framed.shape[3] + left.long()

    def pixels(down: int, right: int) -> Float[Tensor, "N C h w"]:
        index = (corner + down * framed.shape[3] + right).flatten(2).expand(-1, channels, -1)
        return framed.flatten(2).gather(2, index).unflatten(2, x.shape[2:])

    upper = torch.lerp(pixels(0, 0), pixels(0, 1), x - left)
    lower = torch.lerp(pixels(1, 0), pixels(1, 1), x - left)
    return torch.lerp(upper, lower, y - top)


class SpatialTransformer(nn.Module):
    """Look at the image, decide where to look, and hand on what is seen there.

        theta = localisation(x)                     (section 3.1)
        output = bilinear_sample(x, affine_grid(theta))

    What is weighted: pixels, by a grid of sampling points. Normaliser: bilinear interpolation, whose four weights sum
    to 1. The output has the size of ``x``. ``forward`` reads the image by ``torch.nn.functional.grid_sample``, the same
    as ``bilinear_sample`` and several times faster.

    Args:
        localisation: a module (N, C, H, W) -> (N, 6) whose last layer is a ``torch.nn.Linear`` with biases. Here its
            weights are set to zero and its biases to the identity: training starts from the image as it is.

    Raises: ValueError if ``localisation`` has no such layer.
    """

    def __init__(self, localisation: nn.Module):
        super().__init__()
        self.localisation = localisation
        linear = [module for module in localisation.modules() if isinstance(module, nn.Linear)]
        if not linear or linear[-1].out_features != 6 or linear[-1].bias is None:
            raise ValueError(f"localisation must end in a Linear layer with 6 outputs and biases, got {localisation}")
        with torch.no_grad():
            linear[-1].weight.zero_()
            linear[-1].bias.copy_(torch.tensor([1, 0, 0, 0, 1, 0]))

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N 2 3"]:
        """The affine map of each image, from output to input coordinates."""
        require_shape(x, "N C H W")
        return self.localisation(x).to(x.dtype).unflatten(1, (2, 3))

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """``x`` as seen through its affine map."""
        return F.grid_sample(x, affine_grid(self.weights(x), *x.shape[2:]), align_corners=False)
