# Small experts, careful routing: the router and the embeddings keep 8 bits,
# attention gets 6, and the experts of the first layer more than the others.

model "nano" {
  source = "../models/nano-qwen3moe" # or "hf://Qwen/Qwen3-30B-A3B"
}

policy "balanced" {
  mix = "Q4_K_M" # for what no rule covers

  tensor {
    when = contains(["router", "embedding"], role)
    type = "INT8"
  }
  tensor {
    when = startswith(role, "attention_")
    type = "q6_k"
  }
  tensor {
    when = role == "expert" && layer == 0
    type = "q5_k"
  }
  tensor {
    when   = role == "expert"
    type   = "INT4"
    effort = "best"
  }
}

stage "quantize" "balanced" {
  model  = model.nano
  policy = policy.balanced
}

artifact "gguf" "balanced" {
  from = stage.quantize.balanced
  path = "nano-qwen3moe-balanced.gguf"
}

validate "balanced" {
  candidate = artifact.gguf.balanced

  size { max_bits_per_weight = 7 }
  error { max_relative_rmse = 0.06 }
}

report "balanced" {
  of = [validate.balanced]
}
