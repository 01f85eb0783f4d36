model "q" { source = "hf://a/b" }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
variable "v" { default = 1 }
locals { l = 1 }
model "unused" { source = "x" }
model "unused_each" {
  for_each = { a = 1, b = 2 }
  source   = each.key
}
model "half_used" {
  for_each = { a = 1, b = 2 }
  source   = each.key
}
model "empty" {
  for_each = {}
  source   = each.key
}
model "given_out" { source = "x" }
policy "unused" { mix = "Q4_K_M" }
policy "parent" { mix = "Q4_K_M" }
policy "child" { inherit = policy.parent }
stage "quantize" "other" {
  model  = model.half_used["a"]
  policy = policy.child
}
artifact "gguf" "other" {
  from = stage.quantize.other
  path = "b.gguf"
}
output "m" { value = model.given_out }
