"""Encodes texts with variants of a tokenizer by the hub's own library
(pip install tokenizers) and writes them to variants.json. Run: python3 make.py"""
import json
import random
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

BASE = "../../../../examples/models/nano-qwen3moe/tokenizer.json"
random.seed(11)
POOLS = ["abcXYZ '\u2019stdmrevl", "0123456789\u00bd\u00b2\u0663\u0967", " \t\n\r\u00a0\u3000\u2003\u0085\u2028", "\u00e9\u0301e\u0323\u0307\u00f1\u00c5\u212b\u1e9b\u0323",
         "\u65e5\u672c\u8a9e\u4e2d\u6587\u5b57\ud55c\uad6d\uc5b4\u1100\u1161\u11a8\u304b\u306a\u30ab", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0939\u093f\u0928\u094d\u0926\u0940",
         "\U0001f600\U0001f469\u200d\U0001f467\U0001f1e6\U0001f3fd", "!?.,;:-_/\\|@#$%^&*()[]{}<>~`\"+=", "\u0391\u03a9\u00df\u017fK\u01c5\u02b0\u00aa\u00ba\u01c5\u2160\u2177", "\ufeff\u200b\u200d\u0000\u0007\ufffd\ue000"]
WORDS = ["Hello", " world", "I'm", "don't", "<|im_end|>", "<think>", "<|end|>", "  ", "\n\n", "\r\n", "return 42;", "   def f(x):", "https://a.b/c?d=e", "1234567", "CamelCase", "snake_case", "caf\u00e9", "abc"]


def texts():
    out = []
    for _ in range(40):
        s = ""
        for _ in range(random.randint(2, 12)):
            if random.random() < 0.4:
                s += random.choice(WORDS)
            else:
                p = random.choice(POOLS)
                s += "".join(random.choice(p) for _ in range(random.randint(1, 5)))
        out.append(s)
    return out


def split(rx, b="Isolated", inv=False):
    return {"type":"Split","pattern":{"Regex":rx},"behavior":b,"invert":inv}


def strsplit(s, b="Isolated", inv=False):
    return {"type":"Split","pattern":{"String":s},"behavior":b,"invert":inv}


BL = lambda p=False,r=False:{"type":"ByteLevel","add_prefix_space":p,"trim_offsets":True,"use_regex":r}
seq=lambda *a:{"type":"Sequence","pretokenizers":list(a)}
END="(?i:'s|'t|'re|'ve|'m|'ll|'d)"
pre = {
"gpt2":BL(False,True),"gpt2prefix":BL(True,True),"digits":seq({"type":"Digits","individual_digits":True},BL(False,True)),"digits2":seq({"type":"Digits","individual_digits":False},BL(True,True)),
"falcon":seq({"type":"Punctuation","behavior":"Contiguous"},BL(False,True),{"type":"Digits","individual_digits":False},split("[0-9][0-9][0-9]")),
"punct":seq({"type":"Punctuation","behavior":"Isolated"},BL()),"punctm":seq({"type":"Punctuation","behavior":"MergedWithPrevious"},BL()),"punctn":seq({"type":"Punctuation","behavior":"MergedWithNext"},BL()),
"ws":seq({"type":"Whitespace"},BL()),"wss":seq({"type":"WhitespaceSplit"},BL()),
"mp":seq(split("\\s","MergedWithPrevious"),BL()),"mn":seq(split("\\s","MergedWithNext"),BL()),"rm":seq(split("\\s","Removed"),BL()),"ct":seq(split("\\s","Contiguous"),BL()),"inv":seq(split("\\p{L}+","Removed",True),BL()),"invmp":seq(split("\\p{L}+","MergedWithPrevious",True),BL()),"str":seq(strsplit("."),BL()),"strmn":seq(strsplit(" ","MergedWithNext"),BL()),
"llama3":seq(split(END+"|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),BL()),
"deepseek3":seq(split("\\p{N}{1,3}"),split("[一-龥぀-ゟ゠-ヿ]+"),split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"),BL()),
"bailing":seq(split("'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),BL()),
"llama4":seq(split("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),BL()),
"kimi":seq(split("[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),BL()),
"aya":seq(split("\\d{1,3}(?=(?:\\d{3})*\\b)"),BL(False,True)),"bloom":seq(split(" ?[^(\\s|[.,!?…。，、।۔،])]+"),BL()),"w":seq(split("\\w+|\\W"),BL()),"dollar":seq(split("\\s+$|^\\w|\\bb"),BL()),"superbpe":seq(split("\\p{N}+"),split("(?=(\\d{3})+(?!\\d))"),BL()),
"exaone":seq(split(END+"|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),BL()),
}
norms = {"nfkc":{"type":"NFKC"},"nfd":{"type":"NFD"},"nfkd":{"type":"NFKD"},"lower":{"type":"Lowercase"},"seqn":{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},{"type":"Lowercase"}]},"strip":{"type":"Strip","strip_left":True,"strip_right":True},"prepend":{"type":"Prepend","prepend":"_"},"repl":{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},"repls":{"type":"Replace","pattern":{"String":"a"},"content":"bb"}}


def variants(base):
    """Gives names, what is changed in BASE, or a whole tokenizer."""
    for k, p in pre.items():
        yield "pre_" + k, {"pre_tokenizer": p}
    for k, n in norms.items():
        yield "norm_" + k, {"normalizer": n}
    t = Tokenizer.from_str(json.dumps(base))
    t.add_tokens([AddedToken("abc", single_word=True, normalized=False), AddedToken("CamelCase", lstrip=True, normalized=False), AddedToken("def", rstrip=True, normalized=False),
                  AddedToken("  ", normalized=False), AddedToken("<|end|>", normalized=False), AddedToken("<|end", normalized=False), AddedToken("I'm", single_word=True, normalized=False)])
    t.add_special_tokens([AddedToken("return", lstrip=True, rstrip=True, normalized=False)])
    yield "added", {"added_tokens": json.loads(t.to_str())["added_tokens"]}
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    t.train_from_iterator(WORDS * 20 + ["the old man and the sea, " * 5], trainers.BpeTrainer(vocab_size=360, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]))
    whole = json.loads(t.to_str())
    whole["added_tokens"] = [a for a in whole["added_tokens"] if not a["content"].startswith("<0x")]
    whole["decoder"] = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    yield "whole", whole
    for scheme in ["always", "first", "never"]:
        for split in [True, False]:
            yield f"whole_{scheme}_{split}", {"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split}}
    yield "whole_llama2", {"pre_tokenizer": None, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}}


def main():
    base = json.load(open(BASE))
    out = {"texts": texts(), "variants": []}
    for name, change in variants(base):
        if name == "whole":
            out["whole"] = base = change
        t = Tokenizer.from_str(json.dumps({**base, **change}))
        ids = [t.encode(s, add_special_tokens=False).ids for s in out["texts"]]
        out["variants"].append({"name": name, "change": {} if name == "whole" else change, "ids": ids})
    json.dump(out, open("variants.json", "w"), ensure_ascii=True, separators=(",", ":"))


main()
