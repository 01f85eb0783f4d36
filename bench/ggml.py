"""Times ggml's own quantizers and decoders for kernels_test.go.

Started with the folder of the libraries, a file of float32 weights and one of
importances for a row. A line of standard input is a JSON object: op (quantize
or dequantize), type (its id), rows, importance (bool), calls and out, a file
for the blocks. The answer is a line with the seconds that the calls took.
"""
import ctypes as C
import json
import os
import sys
import time

folder, weights, importance = sys.argv[1:]
C.CDLL(os.path.join(folder, "libggml-base.so"), mode=C.RTLD_GLOBAL)
ggml = C.CDLL(os.path.join(folder, "libggml-base.so"))

ggml.ggml_quantize_chunk.restype = C.c_size_t
ggml.ggml_quantize_chunk.argtypes = [C.c_int, C.c_void_p, C.c_void_p, C.c_int64, C.c_int64, C.c_int64, C.c_void_p]
ggml.ggml_row_size.restype = C.c_size_t
ggml.ggml_row_size.argtypes = [C.c_int, C.c_int64]


class Traits(C.Structure):
    _fields_ = [("name", C.c_char_p), ("block", C.c_int64), ("interleave", C.c_int64), ("bytes", C.c_size_t),
                ("quantized", C.c_bool), ("to_float", C.c_void_p), ("from_float_ref", C.c_void_p)]


ggml.ggml_get_type_traits.restype = C.POINTER(Traits)
ggml.ggml_get_type_traits.argtypes = [C.c_int]
DECODE = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_int64)


def load(path):
    data = open(path, "rb").read()
    return C.create_string_buffer(data, len(data)), len(data) // 4


x, n = load(weights)
w, cols = load(importance)
room = C.create_string_buffer(4 * n + 64)
floats = C.create_string_buffer(4 * n)

for line in sys.stdin:
    q = json.loads(line)
    count = q["rows"] * cols
    if q["op"] == "quantize":
        args = (q["type"], x, room, 0, q["rows"], cols, w if q["importance"] else None)
        call = ggml.ggml_quantize_chunk
        if q["out"]:
            call(*args)
            with open(q["out"], "wb") as f:
                f.write(room.raw[:ggml.ggml_row_size(q["type"], cols) * q["rows"]])
    else:
        args = (C.cast(room, C.c_void_p), C.cast(floats, C.c_void_p), count)
        call = DECODE(ggml.ggml_get_type_traits(q["type"]).contents.to_float)
    start = time.perf_counter()
    for _ in range(q["calls"]):
        call(*args)
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
