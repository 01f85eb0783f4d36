# Every kind of block and field, for comparison with the same in JSON.
variable "name" {
  type        = string
  default     = "base"
  description = "the stem of file names"
}
variable "shares" {
  type    = object({ code = number, rest = optional(number, 0.5) })
  default = { code = 0.5 }
}
locals {
  models = { a = "hf://x/a", b = "${path.module}/b" }
  top    = 0.1 + 0.1
}
model "m" {
  for_each = local.models
  source   = each.value
}
dataset "code" { files = ["c.txt", "d ${"$"}{literal}.txt"] }
dataset "rest" {
  files    = ["r.txt"]
  template = "chat"
}
stage "calibrate" "c" {
  model = model.m["a"]
  text  = { code = dataset.code, rest = dataset.rest }
  mix   = { for k, v in var.shares : k => v }
}
policy "base" {
  mix      = "q4_k_m"
  preserve = true
  tensor {
    when = role == "router"
    type = "INT8"
  }
  kv { type = "int8" }
}
policy "p" {
  for_each = toset(["low", "high"])
  default  = "Q4_K"
  evidence = stage.calibrate.c
  inherit  = policy.base
  tensor {
    when   = role == "expert" && expert.share > local.top
    type   = each.key == "high" ? "Q8_0" : "q6_k"
    effort = "best"
  }
  tensor {
    when = layer < 4 || layer >= layers - 4
    min  = "q4_k"
    max  = "q8_0"
  }
  kv {
    when  = context <= 4 * 1024 && attention == "full"
    key   = "INT4"
    value = "INT3"
  }
  budget {
    bytes           = "8 GiB"
    bits_per_weight = 4.5
  }
}
policy "file" { evidence = imatrix("im.gguf") }
stage "quantize" "z" {
  for_each = { for k, p in policy.p : k => p }
  model    = model.m["b"]
  policy   = each.value
}
stage "quantize" "file" {
  model  = model.m["b"]
  policy = policy.file
}
artifact "gguf" "g" {
  for_each = stage.quantize.z
  from     = each.value
  path     = "${var.name}-${each.key}.gguf"
  threads  = 3
}
artifact "gguf" "f" {
  from = stage.quantize.file
  path = "f.gguf"
}
stage "all" "everything" {
  text      = "a%{ if true } b%{ endif }"
  flag      = true
  count     = "12"
  big       = 9007199254740993
  ratio     = 1 / 4
  size      = "1.5 GB"
  maybe     = 0
  texts     = ["x", 3]
  counts    = [1, 2]
  sizes     = [10, "2 KiB"]
  shares    = { a = 0.1, b = 2 }
  lists     = { x = ["y"], z = [] }
  ref       = stage.calibrate.c
  refs      = [model.m, artifact.gguf.f, artifact.gguf.g["low"]]
  ref_map   = model.m
  ref_lists = { all = model.m, one = [model.m["a"]] }
  choices   = ["green"]
  workers   = 9
  must { name = "needed" }
  many {
    name = "first"
    inner { name = "deep" }
    inner { name = "deeper" }
  }
  many { name = "second" }
}
artifact "mlx" "e" {
  from = stage.all.everything
  path = "mlx"
}
validate "v" {
  for_each  = artifact.gguf.g
  baseline  = model.m["a"]
  candidate = each.value
  perplexity {
    text         = dataset.code
    max_increase = 0.05
  }
  memory {
    context      = 4096
    max_resident = "2.0 GB"
  }
}
report "r" { of = [validate.v] }
output "constant" { value = { name = upper(var.name), list = [1, 2] } }
output "reference" { value = artifact.gguf.g }
output "measured" { value = [validate.v["low"].perplexity.value, local.top] }
