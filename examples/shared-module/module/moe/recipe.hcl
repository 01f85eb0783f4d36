# How our team quantizes mixtures of experts: the router keeps 8 bits, whatever
# the rest gets.

variable "model" {
  type        = any
  description = "A model of the recipe that includes this one."
}

variable "mix" {
  type    = string
  default = "Q4_K_M"

  validation {
    condition     = startswith(var.mix, "Q")
    error_message = "The mix is one of llama-quantize's K mixes, such as Q4_K_M, not ${var.mix}."
  }
}

policy "moe" {
  mix = var.mix

  tensor {
    when = role == "router"
    type = "INT8"
  }
}

stage "quantize" "moe" {
  model  = var.model
  policy = policy.moe
}

output "weights" {
  value       = stage.quantize.moe
  description = "The quantized weights, for an artifact."
}
