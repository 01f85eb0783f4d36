# A recipe for a model that is there as a GGUF file.

variable "file" {
  type        = string
  default     = "f16/nano-qwen3moe-f16.gguf"
  description = "The GGUF file, from this folder."
}

variable "mix" {
  type        = string
  default     = "Q5_K_M"
  description = "The mix of llama-quantize to make of it."
}

model "file" {
  source = var.file
}

policy "mix" {
  mix = var.mix
}

stage "quantize" "mix" {
  model  = model.file
  policy = policy.mix
}

artifact "gguf" "mix" {
  from = stage.quantize.mix
  path = "nano-qwen3moe-${var.mix}.gguf"
}
