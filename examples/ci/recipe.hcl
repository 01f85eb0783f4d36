# A recipe that is built for every change, see README.md.

model "nano" {
  source = "../models/nano-qwen3moe"
}

policy "release" {
  mix = "Q4_K_M"

  tensor {
    when = role == "router"
    type = "INT8"
  }
}

stage "quantize" "release" {
  model  = model.nano
  policy = policy.release
}

artifact "gguf" "release" {
  from = stage.quantize.release
  path = "nano-qwen3moe-release.gguf"
}

validate "release" {
  candidate = artifact.gguf.release

  size { max_bits_per_weight = 6 }
  error { max_tensor_relative_rmse = 0.1 }
}

report "release" {
  of = [validate.release]
}
