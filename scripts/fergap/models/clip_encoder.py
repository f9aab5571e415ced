"""CLIP's image encoder (Radford et al. 2021)."""

import torch
from torch import nn

LAYERS, HEADS, SIZE = 12, 12, 224


class QuickGELU(nn.Module):
    """x · σ(1.702 x), the approximation of GELU with which OpenAI trained."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activations, of the same shape."""
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """Self-attention, then a perceptron, each after a layer norm and with a shortcut around both."""

    def __init__(self, width: int, heads: int, activation: nn.Module):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential()
        for name, layer in (
            ("c_fc", nn.Linear(width, 4 * width)),
            ("gelu", activation),
            ("c_proj", nn.Linear(4 * width, width)),
        ):
            self.mlp.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens, width) of the same."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class ImageEncoder(nn.Module):
    """The vision transformer that maps a picture to CLIP's embedding.

    Figure 3 and section 2.4 of Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
    Supervision": the picture in patches, a class token and learned positions, a layer norm before the blocks, the class
    token's layer norm and its projection after them. Its modules have open_clip's names below ``visual``, so that
    weights for these encoders can be loaded.

    Parameters
    ----------
    patch : int
        Pixels on a patch's side; the picture's 224 are a multiple of it.
    quick : bool
        GELU as OpenAI approximated it, else GELU itself.
    width, layers, heads, embedding : int
        Of the tokens, of the blocks, of attention heads in each, and of the embedding.
    """

    def __init__(
        self,
        patch: int,
        quick: bool,
        width: int = 768,
        layers: int = LAYERS,
        heads: int = HEADS,
        embedding: int = 512,
    ):
        super().__init__()
        scale = width**-0.5
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn((SIZE // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.Sequential(
            *(Block(width, heads, QuickGELU() if quick else nn.GELU()) for _ in range(layers))
        )
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, embedding))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, embedding) of (n, 3, 224, 224) pictures."""
        x = self.conv1(x).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = torch.cat([first, x], 1) + self.positional_embedding.to(x.dtype)
        x = self.transformer.resblocks(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj
