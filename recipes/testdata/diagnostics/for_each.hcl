locals {
  names = ["a", "b"]
  refs  = { one = model.m["x"], two = model.m["y"] }
}
variable "secret" {
  default   = "hush-hush"
  sensitive = true
}
model "m" {
  for_each = { x = "1", y = "2" }
  source   = each.value
}
model "list" {
  for_each = local.names
  source   = each.value
}
model "null" {
  for_each = null
  source   = each.value
}
model "sensitive" {
  for_each = { (var.secret) = "a" }
  source   = each.value
}
model "sensitive_set" {
  for_each = toset([var.secret])
  source   = each.value
}
model "number" {
  for_each = 3
  source   = each.value
}
model "empty_key" {
  for_each = { "" = "x" }
  source   = each.value
}
policy "p" { mix = "Q4_K_M" }
stage "quantize" "whole" {
  model  = model.m
  policy = policy.p
}
stage "quantize" "wrong_key" {
  model  = model.m["z"]
  policy = policy.p
}
stage "quantize" "value_of_each" {
  for_each = { a = "text", b = model.m["x"] }
  model    = each.value
  policy   = policy.p
}
stage "quantize" "not_each" {
  model  = model.m["x"]["y"]
  policy = policy.p["x"]
}
