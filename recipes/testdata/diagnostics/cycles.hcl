locals {
  a = local.b
  b = [for x in local.c : x]
  c = [local.a]
  self = "${local.self}x"
  fine = local.a
}
policy "p" { inherit = policy.q }
policy "q" { inherit = policy.p }
stage "quantize" "z" {
  model  = stage.quantize.z
  policy = policy.p
}
