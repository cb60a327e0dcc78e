"""Options with which every network is small enough for a test: model name -> a list of option sets."""

TINY_UNET = {
    "encoder_widths": [8, 8, 8, 8, 8],
    "decoder_widths": [8, 8, 8, 8],
    "encoder_blocks": [0, 1, 0, 0, 1],
    "decoder_blocks": [1, 0, 1, 1],
}

TINY: dict[str, list[dict]] = {
    "unet": [
        TINY_UNET,
        TINY_UNET | {"output": "ab"},
        TINY_UNET | {"attention_heads": 2, "global_context": False},
    ],
}
