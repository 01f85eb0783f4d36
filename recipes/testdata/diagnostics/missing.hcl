model "q" {}
stage "all" "a" {
  many {
    inner {}
  }
  one {}
  one {}
}
output "o" {}
module "m" {}
variable "v" {
  validation {
    condition = true
  }
}
