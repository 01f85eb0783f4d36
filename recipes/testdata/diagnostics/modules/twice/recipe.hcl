variable "model" { type = any }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = var.model
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "m.gguf"
}
