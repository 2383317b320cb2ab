"""Which formats of preference rows are known, by name."""

from dt2it_ray.data.formats.preference import PreferenceFormat
from dt2it_ray.data.formats.preferences import (
    chat_pairs,
    flat,
    hh_rlhf,
    image_chats,
    image_pairs,
    judge_prompts,
    llama_factory,
    ms_swift,
    rated,
    signed,
    trl,
)

_FORMATS = (
    llama_factory.LLAMA_FACTORY,
    trl.TRL,
    ms_swift.MS_SWIFT,
    flat.FLAT,
    flat.JUDGED_LISTS,
    image_pairs.RLAIF_V,
    image_pairs.RLHF_V,
    image_pairs.SPA_VL,
    image_pairs.MMPR,
    image_pairs.MM_RLHF,
    image_pairs.UNIFIED_REWARD,
    rated.VLFEEDBACK,
    rated.MR2_RM,
    image_chats.POVID,
    image_chats.IXC_REWARD,
    image_chats.VISION_FEEDBACK_MIX,
    image_chats.MMSAFE_PO,
    judge_prompts.LLAVA_CRITIC,
    judge_prompts.R1_REWARD,
    rated.ULTRAFEEDBACK,
    signed.HELPSTEER2,
    signed.HELPSTEER3,
    chat_pairs.SKYWORK,
    chat_pairs.TULU,
    hh_rlhf.HH_RLHF,
)

PREFERENCE_FORMATS: dict[str, PreferenceFormat] = {each.name: each for each in _FORMATS}
"""Formats that are read, by name; those with a `release` are written too."""

WRITTEN = tuple(name for name, each in PREFERENCE_FORMATS.items() if each.release)
"""The formats that are written."""
