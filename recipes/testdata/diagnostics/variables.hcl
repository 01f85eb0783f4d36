variable "needed" {
  type        = string
  description = "has no value"
}
variable "bad_type" { type = strin }
variable "quoted" { type = "string" }
variable "bad_default" {
  type    = list(number)
  default = ["a"]
}
variable "refers" { default = local.x }
variable "no_null" {
  type     = string
  default  = null
  nullable = false
}
variable "checked" {
  type    = number
  default = 12
  validation {
    condition     = var.checked < local.x
    error_message = "It must be less than ${local.x}."
  }
}
variable "checked_secret" {
  type      = string
  default   = "swordfish"
  sensitive = true
  validation {
    condition     = var.checked_secret == "other"
    error_message = "Not ${var.checked_secret}."
  }
}
variable "odd" {
  default   = 1
  sensitive = "perhaps"
  validation {
    condition     = 3
    error_message = "x"
  }
}
variable "nested" {
  type = object({ a = number, b = optional(list(string), ["x"]) })
  default = { a = 1, b = [["y"]] }
}
locals { x = 10 }
output "uses_failed" { value = [var.needed, var.bad_default] }
