"""CLIP's byte-pair tokenizer as the file `tokenizer.json`, which the tokenizers library and transformers read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aesalign_core.errors import ExportError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WORDS = r"""<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def fast(tokenizer: Any, name: str) -> Tokenizer:
    """A tokenizer that gives what open_clip's `SimpleTokenizer` does: (context,) ids, padded with 0.

    Of what open_clip repairs first, curly quotes are straightened; broken Unicode and HTML entities are left alone.

    Raises:
        ExportError: The model has another tokenizer.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    plain = type(tokenizer).__name__ == "SimpleTokenizer" and tokenizer.reduction_fn is None
    if not plain or len(tokenizer.all_special_ids) > 2 or tokenizer.clean_fn.__name__ != "_clean_lower":
        raise ExportError(f"{name} has another tokenizer than CLIP's", hint="export to open_clip")
    begin, end = (next(k for k, v in tokenizer.encoder.items() if v == i) for i in tokenizer.all_special_ids[:2])
    merges = [pair for pair in tokenizer.bpe_ranks if len(pair) == 2]
    made = Tokenizer(
        models.BPE(vocab=dict(tokenizer.encoder), merges=merges, end_of_word_suffix="</w>", unk_token=end)
    )
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex("[\u02bc\u2018-\u201b]"), "'"),
            normalizers.Replace(Regex("[\u201c-\u201f]"), '"'),
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Lowercase(),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    ids = {begin: tokenizer.sot_token_id, end: tokenizer.eot_token_id}
    made.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=list(ids.items()))
    made.add_special_tokens([begin, end])
    made.enable_truncation(int(tokenizer.context_length))
    made.enable_padding(pad_id=0, pad_token="!", length=int(tokenizer.context_length))  # noqa: S106 - no password
    return made
