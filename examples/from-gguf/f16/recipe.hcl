# Makes the GGUF file that ../recipe.hcl begins with.

model "nano" {
  source = "../../models/nano-qwen3moe"
}

policy "f16" {
  mix = "F16"
}

stage "quantize" "f16" {
  model  = model.nano
  policy = policy.f16
}

artifact "gguf" "f16" {
  from = stage.quantize.f16
  path = "nano-qwen3moe-f16.gguf"
}
