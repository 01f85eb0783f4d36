module "offline" { source = "git::https://git.example.org/x.git//y?ref=v1" }
module "bare" { source = "modules/m" }
module "missing" { source = "./nowhere" }
module "wrong" { source = 3 }
module "computed" { source = "./${local.x}" }
locals { x = "modules/m" }
module "m" {
  source = "./modules/m"
  modle  = "x"
}
module "n" {
  source = "./modules/m"
  model  = ["x"]
  tokens = 5000
}
module "each" {
  source   = "./modules/m"
  for_each = { a = 1 }
  model    = "x"
}
module "self" { source = "./modules.hcl" }
module "loop" { source = "./modules/loop" }
model "hidden" { source = module.n.model.q }
model "unknown" { source = module.n.quantised }
stage "quantize" "z" {
  model  = module.nn.quantized
  policy = module.n.artifact.gguf.nothing
}
output "whole" { value = module.n }
