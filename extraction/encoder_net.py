"""The encoder network: MiniLM's layers over word pieces, one linear-chain CRF per attribute on top. The only door to torch in this room.

Emissions of a token are a linear map of gelu(W [h ; f]), h the mean of its first and last piece's vectors, f the sum of the vectors of its
hashed features. The score of tags y is Σ_i (emission(x_i, y_i) + transition(y_{i−1}, y_i)), as in `extraction.crf`, so the same sums over
sequences give the probabilities of spans. MiniLM's word vectors stay as they are: they are half of the weights and a small training set
moves few of them; capitals, which its tokenizer drops, come in as a vector of the token's shape that is added to them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from extraction.crf import INSIDE, OUTSIDE, TAGS
from extraction.encoder_inputs import HINT_ROWS, SHAPES, Inputs, base_folder

_HINT_WIDTH, _MIXED = 64, 256
_BASE_VECTORS = "body.embeddings.word_embeddings.weight"
_UNLIKELY = -4.0  # first guess of the transition from outside into the middle of a value
DROPOUT = 0.1


class Net(nn.Module):
    """Emissions of every token for every attribute.

    Args:
        attributes: how many.
    """

    def __init__(self, attributes: int) -> None:
        super().__init__()
        self.body = _base()
        width = int(self.body.config.hidden_size)
        self.shapes = nn.Embedding(len(SHAPES), width)
        self.hints = nn.EmbeddingBag(HINT_ROWS, _HINT_WIDTH, mode="sum", padding_idx=0)
        self.mix = nn.Linear(width + _HINT_WIDTH, _MIXED)
        self.heads = nn.Linear(_MIXED, attributes * len(TAGS))
        self.dropout = nn.Dropout(DROPOUT)
        self.transitions = nn.Parameter(torch.zeros(attributes, len(TAGS), len(TAGS)))
        nn.init.zeros_(self.shapes.weight)
        nn.init.normal_(self.hints.weight, std=0.05)
        with torch.no_grad():
            self.transitions[:, OUTSIDE, INSIDE] = _UNLIKELY

    def forward(self, inputs: Inputs) -> Tensor:
        """float32 [titles, tokens, attributes, 3]."""
        pieces, shapes, first, last, hints = (
            torch.from_numpy(part) for part in (inputs.pieces, inputs.shapes, inputs.first, inputs.last, inputs.hints)
        )
        mask = torch.arange(pieces.shape[1])[None] < torch.from_numpy(inputs.sizes)[:, None]
        seen = self.body.embeddings.word_embeddings(pieces) + self.shapes(shapes)
        hidden = self.body(inputs_embeds=seen, attention_mask=mask.long()).last_hidden_state
        ends = [hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[2])) for at in (first, last)]
        titles, tokens, names = hints.shape
        known = self.hints(hints.reshape(-1, names)).reshape(titles, tokens, -1)
        mixed = nn.functional.gelu(self.mix(torch.cat([self.dropout((ends[0] + ends[1]) / 2), known.to(hidden.dtype)], -1)))
        return cast(Tensor, self.heads(self.dropout(mixed)).float().reshape(titles, tokens, -1, len(TAGS)))

    def groups(self, body_rate: float, head_rate: float) -> list[dict[str, Any]]:
        """Parameters for an optimizer: MiniLM's layers at one rate, what is new at another."""
        body = [p for p in self.body.parameters() if p.requires_grad]
        new = [p for name, p in self.named_parameters() if not name.startswith("body.")]
        return [{"params": body, "lr": body_rate}, {"params": new, "lr": head_rate}]

    def kept(self, attributes: Sequence[int]) -> Net:
        """The network with the heads of some attributes alone, in evaluation mode."""
        rows = torch.tensor([a * len(TAGS) + t for a in attributes for t in range(len(TAGS))])
        own = dict(self.state_dict())
        own["heads.weight"], own["heads.bias"] = own["heads.weight"][rows], own["heads.bias"][rows]
        own["transitions"] = own["transitions"][torch.tensor(list(attributes))]
        small = Net(len(attributes))
        small.load_state_dict(own)
        return small.eval()

    def arrays(self) -> dict[str, Tensor]:
        """What `save` keeps: everything but MiniLM's word vectors, in float16."""
        return {name: value.half().contiguous() for name, value in self.state_dict().items() if name != _BASE_VECTORS}

    def save(self, path: Path) -> None:
        """Write the weights (safetensors)."""
        save_file(self.arrays(), str(path))


def load_net(path: Path) -> Net:
    """The network of a file, in evaluation mode.

    Raises:
        KeyError, RuntimeError: the file holds other arrays.
    """
    kept = load_file(str(path))
    net = Net(len(kept["transitions"]))
    base = {_BASE_VECTORS: net.state_dict()[_BASE_VECTORS]}
    net.load_state_dict({**base, **{name: value.float() for name, value in kept.items()}})
    return net.eval()


def _base() -> Any:
    import transformers

    shown = transformers.utils.logging.get_verbosity()
    bar = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        body = transformers.BertModel.from_pretrained(base_folder(), add_pooling_layer=False, attn_implementation="sdpa")
    finally:
        transformers.utils.logging.set_verbosity(shown)
        if bar:
            transformers.utils.logging.enable_progress_bar()
    body.embeddings.word_embeddings.weight.requires_grad_(False)
    return body


def quantised(net: Net) -> Net:
    """The network with int8 weights in its linear maps (dynamic quantisation: activations are scaled batch by batch)."""
    with warnings.catch_warnings():
        # torch announces that this moves to another package, which is not yet needed.
        warnings.simplefilter("ignore")
        return cast(Net, torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8))  # type: ignore[no-untyped-call]


def emissions(net: Net, inputs: Inputs) -> NDArray[np.float64]:
    """float64 [titles, tokens, attributes, 3] without gradients."""
    with torch.inference_mode():
        return cast(NDArray[np.float64], net(inputs).numpy().astype(np.float64))


def negative_log_likelihood(emitted: Tensor, transitions: Tensor, tags: Tensor, lengths: Tensor, known: Tensor) -> Tensor:
    """Mean −log p(tags | title) over the labelled slots; an unknown slot does not enter.

    Args:
        emitted: float32 [titles, tokens, attributes, 3].
        transitions: float32 [attributes, 3, 3].
        tags: int64 [titles, tokens, attributes].
        lengths: int64 [titles].
        known: float32 [titles, attributes], 1 for a slot with a label (a value, or absent), else 0.
    """
    tokens, attributes = emitted.shape[1:3]
    inside = torch.arange(tokens)[None] < lengths[:, None]
    said = (emitted.gather(3, tags[..., None]).squeeze(3) * inside[..., None]).sum(1)
    steps = transitions[torch.arange(attributes), tags[:, :-1], tags[:, 1:]]
    said = said + (steps * inside[:, 1:, None]).sum(1)
    forward = emitted[:, 0]
    for i in range(1, tokens):
        step = torch.logsumexp(forward[..., None] + transitions[None], 2) + emitted[:, i]
        forward = torch.where(inside[:, i, None, None], step, forward)
    return ((torch.logsumexp(forward, 2) - said) * known).sum() / known.sum().clamp(min=1.0)


def mixed_precision() -> torch.autocast:
    """bfloat16 products where the processor multiplies tiles of them (training is twice as fast), else none."""
    told: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bool(told.get("amx_bf16")))
