"""Prints what llama.cpp's converter makes of a folder: keys with types, tensors with dimensions. No weights are read.
usage: PRE=qwen2 converter.py LLAMA_CPP FOLDER"""
import sys, json, hashlib, os
from unittest.mock import MagicMock
import numpy as np
class T(np.ndarray):
    def transpose(self, *a): return self.swapaxes(*a).view(T)
    def dim(self): return self.ndim
    def contiguous(self): return self
    def numpy(self): return self
    def numel(self): return self.size
    def unsqueeze(self, d): return np.expand_dims(self, d).view(T)
def fake(shape): return np.broadcast_to(np.uint8(0), shape).view(T)
torch = MagicMock()
torch.stack = lambda ds, dim=0: fake((len(ds),) + ds[0].shape)
torch.zeros = lambda *s: fake(s)
torch.float32 = np.float32
torch.arange = lambda *a, dtype=None: np.arange(*a, dtype=dtype)
torch.tensor = lambda v, dtype=None: np.array(v, dtype=dtype)
class Tensor: pass
torch.Tensor = Tensor
import transformers
from transformers import AutoConfig, AutoTokenizer
sys.modules["torch"] = torch
sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[1] + "/gguf-py")
import logging; logging.disable(logging.CRITICAL)
import gguf
from pathlib import Path
from conversion import base, qwen, gpt_oss, llama
folder = Path(sys.argv[2])
cfg = base.ModelBase.load_hparams(folder, False)
cls = {"Qwen3MoeForCausalLM": qwen.Qwen3MoeModel, "GptOssForCausalLM": gpt_oss.GptOssModel, "LlamaForCausalLM": llama.LlamaModel, "Qwen3ForCausalLM": qwen.Qwen3Model}[cfg["architectures"][0]]
cls.get_vocab_base_pre = lambda self, tok: os.environ.get("PRE", "?")
base.LazyTorchTensor = MagicMock()
base.LazyTorchTensor.from_local_tensor = lambda d: fake(d.shape)
m = cls(folder, gguf.LlamaFileType.MOSTLY_BF16, Path("out.gguf"))
out = []
if hasattr(m, "repack_mxfp4"):
    m.repack_mxfp4 = lambda n, b, s: out.append((n, list(reversed([b.shape[0], b.shape[1], b.shape[2]*32]))))
m._is_mxfp4 = True
import itertools
for name, t in itertools.chain(list(m.generate_extra_tensors()), m.get_tensors()):
    if name.endswith((".attention.masked_bias", ".attention.bias", ".rotary_emb.inv_freq")): continue
    bid = next((int(p) for p in name.split(".") if p.isdecimal()), None)
    for nn, d in m.modify_tensors(t, name, bid):
        out.append((nn, list(reversed(d.shape))))
w = m.gguf_writer
total = shared = expert = esum = nst = 0
for n, d in out:
    size = int(np.prod(d, dtype=np.int64)); total += size
    if "_exps." in n and len(d) >= 3: expert += size // d[2]; esum += d[2]; nst += 1
    else: shared += size
w.get_total_parameter_count = lambda: (total, shared, expert, esum // nst if nst else 0)
m.prepare_metadata(vocab_only=False)
kv = []
for key, v in w.kv_data[0].items():
    val = v.value
    t = v.type.name
    if isinstance(val, (list, tuple)) or hasattr(val, "dtype"):
        val = [x.decode("utf-8", "surrogateescape") if isinstance(x, bytes) else (float(np.float32(x)) if isinstance(x, float) else x) for x in val]
        el = "STRING" if val and isinstance(val[0], str) else ("FLOAT32" if val and isinstance(val[0], float) else "INT32")
        h = hashlib.sha256("\0".join(str(x) if not isinstance(x, float) else repr(x) for x in val).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        kv.append([key, f"[{el}]", f"{len(val)} {h}" if len(val) > 8 else val])
    elif isinstance(val, str): kv.append([key, t, val if len(val) < 200 else f"{len(val.encode())} {hashlib.sha256(val.encode()).hexdigest()[:16]}"])
    elif isinstance(val, float): kv.append([key, t, float(np.float32(val))])
    else: kv.append([key, t, int(val) if not isinstance(val, bool) else val])
json.dump({"kv": kv, "tensors": [[n, d[:]] for n, d, *_ in out]}, sys.stdout)
