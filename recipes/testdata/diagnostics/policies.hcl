model "q" { source = "hf://a/b" }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
policy "names" {
  mix     = "Q4_K_X"
  default = "q4_kk"
  tensor {
    when   = role == "router"
    type   = "INT5"
    effort = "hard"
  }
  tensor { when = role == "expert" }
  tensor {
    type = "q8_0"
    min  = "q4_k"
  }
  kv {
    type = "q9_9"
  }
  kv {}
  kv { key = "INT8" }
  kv {
    type = "INT8"
    key  = "INT8"
  }
  budget {}
  budget { bytes = 1 }
}
policy "budget" {
  budget {
    bytes           = "lots"
    bits_per_weight = 0
    max_kld         = "x"
  }
}
policy "refs" {
  evidence = model.q
  inherit  = stage.quantize.z
  preserve = "yes"
}
policy "call" { evidence = imatrix("a", "b") }
policy "call2" { evidence = imatrx("a") }
