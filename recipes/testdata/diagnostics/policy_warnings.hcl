model "q" { source = "a" }
policy "p" {
  tensor {
    when = role == "rooter"
    type = "q8_0"
  }
  tensor {
    when = "slidin" != attention && contains(["gate", "upp"], projection)
    type = "q8_0"
  }
  tensor {
    when = 1 > 2
    type = "q8_0"
  }
  tensor { type = "q4_k" }
  tensor {
    when = role == "expert"
    type = "q3_k"
  }
  kv {
    when = context > 10 && context < 10
    type = "INT8"
  }
  kv { type = "INT8" }
  kv {
    when = attention == "sliding"
    type = "INT4"
  }
}
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
