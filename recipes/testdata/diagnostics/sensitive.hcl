variable "token" {
  type      = string
  default   = "swordfish"
  sensitive = true
}
model "q" { source = "https://x/${var.token}" }
model "n" {
  source     = "x"
  requantize = var.token
}
dataset "d" {
  files    = [var.token]
  template = var.token
}
policy "p" { mix = var.token }
variable "tokens" {
  type      = number
  default   = 4096
  sensitive = true
}
policy "numbers" {
  budget { bytes = var.tokens * 1000 }
  kv {
    when = context < var.tokens
    type = "INT8"
  }
}
stage "all" "a" {
  must { name = "m" }
  size = var.token
  path = var.token
}
output "token" { value = var.token }
locals {
  failing = tonumber(var.token)
}
