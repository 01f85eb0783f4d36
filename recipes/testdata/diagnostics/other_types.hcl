# Types that there are, in places where they cannot be.
model "m" { source = "m" }
policy "p" {
  mix     = "q8_0"
  default = "q6_k"
  tensor {
    when = role == "router"
    type = "E4M3"
  }
  tensor {
    when = role == "norm"
    type = "mlx_affine4_g64"
  }
  tensor {
    when = role == "expert"
    type = "int3" # the width, not the type of KV caches
  }
  kv {
    when = attention == "full"
    type = "q6_k"
  }
  kv { type = "INT3" }
}
policy "as_mix" { mix = "iq4_nl" }
stage "quantize" "z" {
  model  = model.m
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
