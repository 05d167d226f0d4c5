"""What is said about torch operators that have no meaning in hardware: why, and what to write instead."""

from __future__ import annotations

__all__ = ["RECURRENT", "reason_and_hint"]

TRANSPOSED = ("a transposed convolution is not supported", "Write nn.Upsample(scale_factor=2, mode='nearest') followed by a convolution")
INTERPOLATION = ("interpolation other than nearest is not supported", "Use mode='nearest'")
RECURRENT = ("a recurrent layer is not supported", "Use convolutions over time (nn.Conv1d)")
ATTENTION = ("attention multiplies tensors that both depend on the data, which is not supported", "Use convolutions")
PRODUCT = ("a product of two matrices that both depend on the data is not supported", "Multiply by weights: nn.Linear, nn.Conv2d")
NORM = ("a norm computed from the data is not supported", "Use batch normalisation")
SHUFFLE = ("moving channels into space is not supported", "Use nn.Upsample(scale_factor=2, mode='nearest') and a convolution")
ADDRESSED = ("addressing by computed places is not supported", "Select by constant places")
SCATTER = ("writing into a part of a tensor is not supported", "Compute the parts and join them with torch.cat")
REPEAT = ("repeating a tensor is not supported", "Use nn.Upsample for pixels, torch.cat for channels")

REASONS = {
    "conv_transpose1d": TRANSPOSED,
    "conv_transpose2d": TRANSPOSED,
    "conv_transpose3d": TRANSPOSED,
    "upsample_linear1d": INTERPOLATION,
    "upsample_bilinear2d": INTERPOLATION,
    "_upsample_bilinear2d_aa": INTERPOLATION,
    "upsample_bicubic2d": INTERPOLATION,
    "_upsample_bicubic2d_aa": INTERPOLATION,
    "upsample_trilinear3d": INTERPOLATION,
    "grid_sampler": INTERPOLATION,
    "grid_sampler_2d": INTERPOLATION,
    "lstm": RECURRENT,
    "gru": RECURRENT,
    "rnn_tanh": RECURRENT,
    "rnn_relu": RECURRENT,
    "lstm_cell": RECURRENT,
    "gru_cell": RECURRENT,
    "rnn_tanh_cell": RECURRENT,
    "rnn_relu_cell": RECURRENT,
    "scaled_dot_product_attention": ATTENTION,
    "_native_multi_head_attention": ATTENTION,
    "bmm": PRODUCT,
    "baddbmm": PRODUCT,
    "einsum": PRODUCT,
    "layer_norm": NORM,
    "native_layer_norm": NORM,
    "group_norm": NORM,
    "native_group_norm": NORM,
    "instance_norm": NORM,
    "rms_norm": NORM,
    "linalg_vector_norm": NORM,
    "var": NORM,
    "var_mean": NORM,
    "std": NORM,
    "pixel_shuffle": SHUFFLE,
    "pixel_unshuffle": SHUFFLE,
    "gather": ADDRESSED,
    "take": ADDRESSED,
    "sort": ("sorting is not supported", "Use torch.topk on the model's last tensor"),
    "cumsum": ("a running sum is not supported", "Use a layer with weights of 1"),
    "slice_scatter": SCATTER,
    "select_scatter": SCATTER,
    "index_put": SCATTER,
    "scatter": SCATTER,
    "repeat": REPEAT,
    "tile": REPEAT,
    "repeat_interleave": REPEAT,
}


def reason_and_hint(target: str) -> tuple[str, str] | None:
    """Sentence and advice for ``aten.lstm.input``, None for operators of which nothing is known."""
    namespace, _, rest = target.partition(".")
    return REASONS.get(rest.partition(".")[0].removesuffix("_")) if namespace == "aten" else None
