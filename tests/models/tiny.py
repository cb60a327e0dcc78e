"""Options with which every network is small enough for a test: model name -> a list of option sets."""

TINY_UNET = {
    "encoder_widths": [8, 8, 8, 8, 8],
    "decoder_widths": [8, 8, 8, 8],
    "encoder_blocks": [0, 1, 0, 0, 1],
    "decoder_blocks": [1, 0, 1, 1],
}

TINY_WALLNER = {"width": 8, "recogniser": "shufflenet_v2_x0_5", "recogniser_size": 32}
TINY_DAHL = {"trunk": "vgg11", "width": 4}
TINY_RBDN = {"width": 4, "trunk": 2, "kernel": 5}
TINY_DEEP = {"hidden": [8, 8, 8], "groups": 5, "clusters": [2, 2], "recogniser_size": 64}

TINY: dict[str, list[dict]] = {
    "unet": [
        TINY_UNET,
        TINY_UNET | {"output": "ab"},
        TINY_UNET | {"attention_heads": 2, "global_context": False},
    ],
    "cic": [{"width": 4}],
    "user_guided": [{"width": 4}, {"width": 4, "global_hints": True}],
    "wallner": [TINY_WALLNER, TINY_WALLNER | {"recogniser": "mobilenet_v3_small", "recogniser_size": 0}],
    "dahl": [TINY_DAHL, TINY_DAHL | {"trunk": "vgg16_bn"}],
    "rbdn": [
        TINY_RBDN,
        TINY_RBDN | {"output": "ycbcr", "branches": 2},
        TINY_RBDN | {"output": "lightness", "branches": 3},
    ],
    "deep_colorization": [TINY_DEEP, TINY_DEEP | {"clusters": [1, 0], "daisy_radius": 4}],
    "text2palette": [{"vocabulary": "autumn deep forest sea", "width": 8}],
    "palette_colorizer": [{"width": 4}],
}
