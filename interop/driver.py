"""Runs a prebuilt llama.cpp for tests: one JSON object per line on standard
input, one answer per line on standard output. No packages, no compiler.

usage: driver.py DIR    the folder of libllama and libggml; then lines of
  {"op": "load", "path": P, "context": N, "threads": N}
      -> {"vocab": N, "layers": N, "warnings": [...]} or {"refused": "why"}
  {"op": "logits", "ids": [...], "last": N, "out": FILE}
      -> {"rows": N, "vocab": N}; FILE gets the float32 logits of the last N
         positions (0: all), little-endian
  {"op": "tokenize", "text": S, "special": true}   -> {"ids": [...]}
  {"op": "detokenize", "ids": [...]}               -> {"base64": S}
  {"op": "greedy", "ids": [...], "count": N}       -> {"ids": [...]}, the end
      token included where the model came to it
Anything that goes wrong otherwise is {"error": "why"}. Numbers can be compared
between runs: the KV cache is F32 and flash attention is off.
"""
import base64
import glob
import json
import os
import sys
from ctypes import (CDLL, CFUNCTYPE, POINTER, RTLD_GLOBAL, Structure, c_bool, c_char_p, c_float, c_int,
                    c_int8, c_int32, c_void_p, create_string_buffer, string_at)

F32, F16 = 0, 1  # ggml_type
FLASH_AUTO, FLASH_OFF = -1, 0
WARNING, ERROR, CONTINUED = 3, 4, 5  # levels of the log
# Places in llama_context_params, counted in 32 bit words.
CONTEXT, BATCH, MICRO_BATCH, THREADS, BATCH_THREADS, FLASH, TYPE_K, TYPE_V = 0, 1, 2, 7, 8, 13, 26, 27


class Params(Structure):
    """A struct that is passed by value whatever its layout: as the last
    argument it lies on the stack, and the callee reads only what it has."""
    _fields_ = [("words", c_int32 * 256)]


class Batch(Structure):
    _fields_ = [("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", c_void_p), ("pos", POINTER(c_int32)),
                ("n_seq_id", POINTER(c_int32)), ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8))]


LogCallback = CFUNCTYPE(None, c_int, c_char_p, c_void_p)

# Results and arguments of the functions in use.
PROTOTYPES = {
    "llama_version": (c_char_p, []),
    "llama_log_set": (None, [LogCallback, c_void_p]),
    "llama_backend_init": (None, []),
    "llama_model_default_params": (Params, []),
    "llama_context_default_params": (Params, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, Params]),
    "llama_model_free": (None, [c_void_p]),
    "llama_model_n_layer": (c_int32, [c_void_p]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_vocab_is_eog": (c_bool, [c_void_p, c_int32]),
    "llama_init_from_model": (c_void_p, [c_void_p, Params]),
    "llama_free": (None, [c_void_p]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_batch_init": (Batch, [c_int32, c_int32, c_int32]),
    "llama_batch_free": (None, [Batch]),
    "llama_decode": (c_int32, [c_void_p, Batch]),
    "llama_get_logits": (POINTER(c_float), [c_void_p]),
    "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
    "llama_tokenize": (c_int32, [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool]),
    "llama_token_to_piece": (c_int32, [c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool]),
}


class Refused(Exception):
    pass


class Engine:
    def __init__(self, folder):
        def library(pattern, mode=0):
            found = sorted(glob.glob(os.path.join(folder, pattern)))
            if not found:
                raise RuntimeError(f"no {pattern} in {folder}")
            return CDLL(found[0], mode)

        base = library("libggml-base.so*", RTLD_GLOBAL)
        ggml = library("libggml.*so*", RTLD_GLOBAL)
        self.lib = library("libllama.*so*")
        for name, (result, arguments) in PROTOTYPES.items():
            f = getattr(self.lib, name)
            f.restype, f.argtypes = result, arguments
        base.ggml_version.restype = c_char_p
        self.versions = {"llama": self.lib.llama_version().decode(), "ggml": base.ggml_version().decode()}
        self.lines, self.kept = [], False
        self.callback = LogCallback(self.log)  # held here, or it would be freed
        self.lib.llama_log_set(self.callback, None)
        ggml.ggml_backend_load_all_from_path.argtypes = [c_char_p]
        ggml.ggml_backend_load_all_from_path.restype = None
        ggml.ggml_backend_load_all_from_path(folder.encode())
        self.lib.llama_backend_init()
        self.model = self.context = self.vocab = None
        self.vocab_size = self.window = 0

    def log(self, level, text, _):
        """Keeps warnings and errors, whose text may come in pieces."""
        if level != CONTINUED:
            self.kept = level >= WARNING
            if self.kept:
                self.lines.append([level, ""])
        if self.kept and self.lines:
            self.lines[-1][1] += text.decode(errors="replace")

    def taken(self, level=WARNING):
        """The lines of the log of at least a level since the last call."""
        lines, self.lines = self.lines, []
        return [text.strip() for at, text in lines if at >= level and text.strip()]

    def close(self):
        if self.context:
            self.lib.llama_free(self.context)
        if self.model:
            self.lib.llama_model_free(self.model)
        self.model = self.context = self.vocab = None

    def load(self, path, context=512, threads=1):
        self.close()
        self.taken()
        self.model = self.lib.llama_model_load_from_file(path.encode(), self.lib.llama_model_default_params())
        if not self.model:
            raise Refused("; ".join(self.taken(ERROR)) or "no reason in the log")
        params = self.lib.llama_context_default_params()
        words = params.words
        if (words[FLASH], words[TYPE_K], words[TYPE_V]) != (FLASH_AUTO, F16, F16):
            raise RuntimeError("llama_context_params has another layout than the version that the driver knows")
        words[CONTEXT] = words[BATCH] = words[MICRO_BATCH] = context
        words[THREADS] = words[BATCH_THREADS] = threads
        words[FLASH], words[TYPE_K], words[TYPE_V] = FLASH_OFF, F32, F32
        self.context = self.lib.llama_init_from_model(self.model, params)
        if not self.context:
            raise Refused("; ".join(self.taken(ERROR)) or "no context, and no reason in the log")
        self.window = context
        self.vocab = self.lib.llama_model_get_vocab(self.model)
        self.vocab_size = self.lib.llama_vocab_n_tokens(self.vocab)
        return {"vocab": self.vocab_size, "layers": self.lib.llama_model_n_layer(self.model), "warnings": self.taken()}

    def decode(self, ids, first, every):
        """Runs tokens from position first on; logits of the last, or of every one."""
        if not ids or first + len(ids) > self.window:
            raise ValueError(f"{len(ids)} tokens from position {first} on, the context is {self.window}")
        if min(ids) < 0 or max(ids) >= self.vocab_size:
            raise ValueError(f"a token is not one of 0 to {self.vocab_size - 1}")
        batch = self.lib.llama_batch_init(len(ids), 0, 1)
        try:
            batch.n_tokens = len(ids)
            for i, token in enumerate(ids):
                batch.token[i] = token
                batch.pos[i] = first + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = every or i == len(ids) - 1
            status = self.lib.llama_decode(self.context, batch)
        finally:
            self.lib.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode gave {status}: " + "; ".join(self.taken(ERROR)))

    def clear(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)

    def logits(self, ids, out, last=0):
        self.clear()
        self.decode(ids, 0, True)
        rows = min(last, len(ids)) or len(ids)
        width = 4 * self.vocab_size
        first = self.lib.llama_get_logits(self.context)
        start = c_void_p.from_buffer(first).value + (len(ids) - rows) * width
        with open(out, "wb") as f:
            f.write(string_at(start, rows * width))
        return {"rows": rows, "vocab": self.vocab_size}

    def tokenize(self, text, special=True):
        data = text.encode()
        room = len(data) + 8
        ids = (c_int32 * room)()
        n = self.lib.llama_tokenize(self.vocab, data, len(data), ids, room, False, special)
        if n < 0:
            raise RuntimeError(f"llama_tokenize gave {n}")
        return {"ids": ids[:n]}

    def detokenize(self, ids):
        pieces = b""
        piece = create_string_buffer(4096)
        for token in ids:
            n = self.lib.llama_token_to_piece(self.vocab, token, piece, len(piece), 0, True)
            if n < 0:
                raise RuntimeError(f"llama_token_to_piece gave {n} for token {token}")
            pieces += piece.raw[:n]
        return {"base64": base64.b64encode(pieces).decode()}

    def greedy(self, ids, count):
        self.clear()
        made, at = [], 0
        while len(made) < count:
            self.decode(ids, at, False)
            at += len(ids)
            row = self.lib.llama_get_logits_ith(self.context, -1)[:self.vocab_size]
            made.append(row.index(max(row)))
            if self.lib.llama_vocab_is_eog(self.vocab, made[-1]):
                break
            ids = made[-1:]
        return {"ids": made}


def main():
    # The libraries may print; answers go where they cannot.
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")

    engine = Engine(sys.argv[1])
    answer(engine.versions)
    operations = {"load", "logits", "tokenize", "detokenize", "greedy"}
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        try:
            if op not in operations:
                raise ValueError(f"unknown op {op}")
            if op != "load" and not engine.context:
                raise ValueError("no model is loaded")
            answer(getattr(engine, op)(**request))
        except Refused as e:
            engine.close()
            answer({"refused": str(e)})
        except Exception as e:  # whatever it is, the next request may work
            answer({"error": f"{type(e).__name__}: {e}"})
    engine.close()


main()
