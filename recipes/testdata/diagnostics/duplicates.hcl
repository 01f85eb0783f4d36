model "q" { source = "a" }
model "q" { source = "b" }
variable "v" {
  default = 1
  default = 2
}
variable "v" {}
locals { a = 1 }
locals { a = 2 }
policy "p" { mix = "Q4_K_M" }
policy "p" { mix = "Q4_K_M" }
output "o" { value = 1 }
output "o" { value = 2 }
