locals {
  model = model.q
}
model "q" { source = var.modle }
variable "model" { default = "x" }
policy "base" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = "model.q"
  policy = policy.bsae
}
stage "quantize" "y" {
  model  = policy.base
  policy = policy.base
}
artifact "gguf" "a" {
  from = stage.quantise.z
  path = path.cwd
}
artifact "gguf" "b" {
  from = stage.quantize
  path = each.key
}
artifact "gguf" "c" {
  from = stage.quantize.x
  path = local.moddel
}
artifact "gguf" "d" {
  from = quantize.z
  path = hello
}
artifact "gguf" "e" {
  from = var
  path = model
}
artifact "gguf" "f" {
  from = stage.quantize.y
  path = role
}
artifact "gguf" "g" {
  from = 3
  path = uper("x")
}
artifact "gguf" "h" {
  from = each.what
  path = "${module.nothing.x}"
}
artifact "gguf" "i" {
  from = stage.quantize.y
  path = model.q.source
}
