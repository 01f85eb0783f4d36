# The one mistake hides no other.
model "r" { sorce = "r" }
model "q" { source = "q" }
module "once" {
  source = "./modules/twice"
  model  = model.q
}
module "again" {
  source = "./modules/twice"
  model  = model.q
}
output "both" { value = [module.once.artifact.gguf.a, module.again.artifact.gguf.a] }
