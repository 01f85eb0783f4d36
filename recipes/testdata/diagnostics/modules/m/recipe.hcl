variable "model" { type = string }
variable "tokens" {
  type    = number
  default = 100
  validation {
    condition     = var.tokens < 1000
    error_message = "At most 1000."
  }
}
model "q" { source = var.model }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.zz
  path = "m.gguf"
}
output "quantized" { value = stage.quantize.z }
output "artifact" { value = 1 }
