# Both small models in every mix that needs no evidence, for a stock llama.cpp
# to judge.
locals {
  models = "${path.module}/../../../examples/models"
}

model "qwen3moe" {
  source = "${local.models}/nano-qwen3moe"
}

model "gptoss" {
  source = "${local.models}/nano-gptoss"
}

policy "mix" {
  for_each = toset([
    "F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0",
    "IQ4_NL", "IQ4_XS", "MXFP4_MOE", "Q3_K_L", "Q3_K_M", "Q3_K_S", "IQ3_M", "IQ3_S", "Q2_K",
  ])
  mix = each.value
}

policy "published" {
  mix      = "BF16"
  preserve = true # MXFP4 as the hub has it
}

stage "quantize" "qwen3moe" {
  for_each = policy.mix
  model    = model.qwen3moe
  policy   = each.value
}

stage "quantize" "gptoss" {
  for_each = policy.mix
  model    = model.gptoss
  policy   = each.value
}

stage "quantize" "published" {
  model  = model.gptoss
  policy = policy.published
}

artifact "gguf" "qwen3moe" {
  for_each = stage.quantize.qwen3moe
  from     = each.value
  path     = "nano-qwen3moe-${each.key}.gguf"
}

artifact "gguf" "gptoss" {
  for_each = stage.quantize.gptoss
  from     = each.value
  path     = "nano-gptoss-${each.key}.gguf"
}

artifact "gguf" "published" {
  from = stage.quantize.published
  path = "nano-gptoss-published.gguf"
}
